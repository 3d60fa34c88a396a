"""The line of a gate: passed, failed or unsure, and what is slower or may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.gate import Gate
from reports.views.comparison import not_gated
from reports.views.numbers import three_digits
from reports.views.problems import shared_words, without
from reports.views.text import abbreviated, counted

MOST: Final = 3
"""Implementations that the line names; more are counted."""


def sentence(found: Gate, of: Comparison) -> str:
    """GATE 3 %: passed; not excluded: naive up to 12.9 % slower; 1 more session may settle it."""
    parts = [f"GATE {_percent(found.limit)}: {found.state}", *_parts(found, of)]
    return "; ".join(parts)


def _parts(found: Gate, of: Comparison) -> Iterator[str]:
    if found.slower:
        yield _named(found.slower, of, lambda row: f"at least {_slower(row.low)}")
    if not found.compared:
        yield not_gated(of)
    elif not (found.slower or found.not_excluded):
        most = max(row.high or 0 for row in found.compared)
        said = f"at most {_slower(most)}" if most > 1 else "none slower"
        yield f"{counted(len(found.compared), 'comparison')}, {said}"
    if found.not_excluded:
        up_to = _named(found.not_excluded, of, lambda row: f"up to {_slower(row.high)}")
        yield f"not excluded: {up_to}"
        yield _settled(found)
    if found.unjudged and found.compared:
        yield f"{counted(len(found.unjudged), 'comparison')} not judged"
    if found.lost:
        names = ", ".join(abbreviated(each.implementation) for each in found.lost[:MOST])
        left = len(found.lost) - MOST
        yield f"no time in {of.new}: {names}" + (f" and {left} more" if left > 0 else "")


def _settled(found: Gate) -> str:
    """How many more sessions may settle what is not excluded."""
    it = "it" if len(found.not_excluded) == 1 else "them"
    if found.more_sessions is None:
        return f"more sessions may settle {it} (--sessions)"
    about = counted(found.more_sessions, "more session")
    return f"{about} may settle {it}"


def _named(
    rows: Sequence[ComparisonRow], of: Comparison, words: Callable[[ComparisonRow], str]
) -> str:
    """The first row of each implementation with its figure; many implementations are counted."""
    problems = {row.problem for row in of.rows}
    shared = shared_words(problems) if len(problems) > 1 else None
    own: dict[str, list[ComparisonRow]] = {}
    for row in rows:
        own.setdefault(row.implementation, []).append(row)
    said = [
        f"{abbreviated(name)} {words(found[0])}{_where(found, shared)}"
        for name, found in list(own.items())[:MOST]
    ]
    left = len(own) - len(said)
    return ", ".join([*said, *([f"{counted(left, 'more implementation')}"] if left else [])])


def _where(rows: Sequence[ComparisonRow], shared: frozenset[str] | None) -> str:
    """The problem of the first row, the worst of several; no problem where there is only one."""
    parts = [] if shared is None else [without(rows[0].problem, shared)]
    parts += [f"the worst of {len(rows)}"] if len(rows) > 1 else []
    return f" ({', '.join(parts)})" if parts else ""


def _slower(ratio: float | None) -> str:
    return f"{_percent((ratio or 1) - 1)} slower"


def _percent(fraction: float) -> str:
    """Three digits, so that a limit and a figure just above it do not look alike."""
    digits = three_digits(100 * fraction)
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} %"
