"""Cases as text: labels, counts, and both beside a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from impls.interface import Problem
from reports.rows.measurements import Measurement
from reports.views.numbers import number
from reports.views.problems import without
from reports.views.text import printable
from suites.records.cases import Case
from suites.records.plan import Plan

LONGEST: Final = 40
"""Characters of the labels before a problem; of longer ones, the first is shown."""
Labels = Mapping[Problem, tuple[str, ...]]
"""The labels of the cases of each problem; no entry for a problem without one."""


def labels_of(plan: Plan) -> dict[Problem, tuple[str, ...]]:
    """The labels of every problem, each once."""
    found: dict[Problem, dict[str, None]] = {}
    for case in plan.cases:
        if case.label:
            found.setdefault(case.problem, {})[case.label] = None
    return {problem: tuple(own) for problem, own in found.items()}


def joined(problem: Problem, labels: Labels) -> str:
    """All labels of a problem on one line: encoder self-attention; decoder self-attention."""
    return "; ".join(labels.get(problem, ()))


def labelled(problem: Problem, text: str, labels: Labels, *, between: str = " ") -> str:
    """A text that stands for a problem, behind its labels where it has any.

    between  what separates the two, as a line break
    """
    if problem not in labels:
        return text
    every, (one, *others) = joined(problem, labels), labels[problem]
    if len(every) > LONGEST and others:
        every = f"{_beginning(one)} and {len(others)} more"
    return f"{every if others else _beginning(every)}:{between}{text}"


def _beginning(label: str) -> str:
    """The first words of a label, LONGEST characters at most; its problem follows it."""
    line = printable(label)
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST - 1].rpartition(' ')[0] or line[: LONGEST - 1]}…"


def place(row: Measurement) -> str:
    """The problem of a row, behind the labels of its cases."""
    return f"{row.case}: {row.problem}" if row.case else str(row.problem)


def title(case: Case, shared: frozenset[str] = frozenset()) -> str:
    """The label of a case; without one its problem, without the words that all share."""
    return case.label or without(case.problem, shared)


def calls(case: Case, shared: frozenset[str] = frozenset()) -> str:
    """A case with its calls in one step: 12 x encoder; a single call has no count."""
    return (
        title(case, shared) if case.count == 1 else f"{whole(case.count)} x {title(case, shared)}"
    )


def whole(count: float) -> str:
    """A number of calls, which may be a mean: 12, 0.5."""
    return f"{count:.0f}" if count % 1 == 0 else number(count)


def titles(cases: Iterable[Case], most: int, shared: frozenset[str] = frozenset()) -> str:
    """Some cases, the others counted: 12 x encoder, 12 x decoder and 3 more."""
    found = list(dict.fromkeys(calls(case, shared) for case in cases))
    left = len(found) - most
    shown = ", ".join(found[:most])
    return f"{shown} and {left} more" if left > 0 else shown
