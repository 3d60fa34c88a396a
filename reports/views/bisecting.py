"""Sentences of a search for the commit that made a file slower."""

from __future__ import annotations

from typing import Final

from reports.views.numbers import percent, ratio_in
from reports.views.text import abbreviated, counted
from suites.bisecting import Found, Judged, Step
from suites.records.revision import SHORT

LONGEST: Final = 60
"""Characters of a subject in a line."""
WORDS: Final = {
    "slower": "slower",
    "within": "not slower",
    "undecided": "undecided, skipped",
    "none": "no time, skipped",
}


def step(each: Step) -> str:
    """A commit in one line: hash, verdict, ratio to the good commit, subject or reason."""
    parts = [each.commit[:SHORT], WORDS[each.judged.verdict], _ratio(each.judged)]
    subject = abbreviated(each.subject, LONGEST)
    reason = f"({each.judged.reason})" if each.judged.reason else ""
    return "  ".join(filter(None, [*parts, subject, reason]))


def ending(found: Found, last: Step, limit: float) -> str:
    """The result: the first slower commit, what is left, or that the last commit is not slower.

    last  the step of the bad commit
    """
    by = f"by more than {percent(limit)}"
    if last.mark == "skip":
        return f"{_name(last)}, the end of the range, could not be judged: nothing was searched"
    if last.mark == "good":
        return f"{_name(last)}, the end of the range, is not slower {by}: nothing to find"
    if found.first is not None:
        return f"{_name(found.first)} made it slower {by}: {_ratio(found.first.judged)}"
    shown = ", ".join(commit[:SHORT] for commit in found.left)
    count = counted(len(found.left), "commit")
    return f"one of {count} made it slower {by}; some could not be judged: {shown}"


def _name(each: Step) -> str:
    return f"{each.commit[:SHORT]} ({abbreviated(each.subject, LONGEST)})"


def _ratio(judged: Judged) -> str:
    """`1.98 [1.90, 2.05] of the good commit's time`; empty without a ratio."""
    if judged.ratio is None:
        return ""
    return f"{ratio_in(judged.ratio, judged.low, judged.high)} of the good commit's time"
