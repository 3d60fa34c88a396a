"""Cases as text: labels, counts, and both beside a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from impls.interface import Problem
from reports.views.numbers import number
from reports.views.problems import without
from suites.records.cases import Case
from suites.records.plan import Plan

Labels = Mapping[Problem, str]
"""The labels of the cases of each problem, on one line; no entry for a problem without one."""


def labels_of(plan: Plan) -> dict[Problem, str]:
    """All labels of every problem: encoder self-attention; decoder self-attention."""
    found: dict[Problem, dict[str, None]] = {}
    for case in plan.cases:
        if case.label:
            found.setdefault(case.problem, {})[case.label] = None
    return {problem: "; ".join(own) for problem, own in found.items()}


def labelled(problem: Problem, text: str, labels: Labels) -> str:
    """A text that stands for a problem, behind its labels where it has any."""
    return f"{labels[problem]}: {text}" if problem in labels else text


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
