"""A comparison in sentences: the verdicts, what was lost, what only one side has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from impls.interface import Problem
from reports.analysis.comparison import Comparison, ComparisonRow, Lost
from reports.views import differences, versions
from reports.views.statuses import STATUS_WORDS
from reports.views.text import counted
from reports.views.verdicts import chance, noise_floor, reason, tally


def sentences(found: Comparison) -> list[str]:
    """What a reader has to know of a comparison."""
    if found.of_runs:
        return [*_conclusions(found), *_of_runs(found), *differences.side_by_side(found)]
    return [
        *versions.of_comparison(found),
        *_conclusions(found),
        *_lost_within(found),
        noise_floor(found.floor),
    ]


def row_reason(row: ComparisonRow) -> str:
    """Why a row has no verdict, or what it is worth; empty for neither."""
    if row.missing is None:
        return reason(row)
    missing = row.missing
    word = "not timed" if missing.status == "ok" else STATUS_WORDS[missing.status]
    return f"{word} in {missing.run}" + (f": {missing.reason}" if missing.reason else "")


def not_gated(found: Comparison) -> str:
    """Why a gate on slower rows could not find any; empty where a row was judged."""
    if not found.rows:
        return "nothing was measured on both sides"
    if any(row.verdict != "not judged" for row in found.rows):
        return ""
    reasons = "; ".join(dict.fromkeys(map(row_reason, found.rows)))
    return f"none of {counted(len(found.rows), 'comparison')} was judged: {reasons}"


def _conclusions(found: Comparison) -> list[str]:
    if not found.rows:
        return ["Nothing was measured on both sides."]
    return [each for each in (tally(found.rows, found.delta), chance(found.rows)) if each]


def _of_runs(found: Comparison) -> Iterator[str]:
    if found.lost:
        lost = ", ".join(map(_lost, found.lost))
        yield f"No longer timed in {found.new}: {lost}."
    if found.base != found.new:
        yield (
            f"{found.base} and {found.new} were measured at different times: a ratio is the one to "
            f"the baseline in {found.new} over the one in {found.base}; milliseconds are shown, "
            "not judged."
        )
    for only in found.only_in:
        problems = [counted(only.problems, "problem")] if only.problems else []
        yield f"Only in {only.run}: {', '.join([*only.implementations, *problems])}."


def _lost_within(found: Comparison) -> Iterator[str]:
    for lost in found.lost:
        count = counted(len(lost.problems), "problem")
        yield f"Timed for {found.base} and not for {lost.implementation}: {count}."


def _lost(lost: Lost) -> str:
    return f"{lost.implementation} on {_which(lost.problems)}"


def _which(problems: Sequence[Problem]) -> str:
    """One problem by its text, several by their number."""
    return str(problems[0]) if len(problems) == 1 else counted(len(problems), "problem")
