"""Judged candidates in words: the line of each, and the score at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.candidates import (
    SAME_KERNEL,
    CandidateRow,
    Judgement,
    ProblemRow,
    best_first,
    score,
)
from reports.rows.answers import STATES
from reports.views.across import mark
from reports.views.causes import sentence
from reports.views.numbers import percent, ratio_in
from reports.views.problems import common_words, shared_words, without
from reports.views.statuses import STATUS_WORDS, reason
from reports.views.text import counted

_STATES: Final[dict[str, str]] = {str(state): text for state, text in STATUS_WORDS.items()}
_FAULTS: Final = ("wrong", "crashed", "failed", "out_of_memory", "timed_out")
_BEST: Final = 5
"""Candidates that the last lines name."""


def word(judgement: Judgement | str) -> str:
    """A judgement as it is printed; `same` is within the noise."""
    return "same within noise" if judgement == "same" else _STATES.get(judgement, judgement)


def ratios(row: CandidateRow) -> str:
    """The ratio of each problem with its interval, or its judgement; empty where none is timed."""
    if all(each.ratio is None for each in row.rows):
        return ""
    return ", ".join(_result(each, alone=len(row.rows) == 1) for each in row.rows)


def reason_of(row: ProblemRow) -> str:
    """Why no time was taken or no verdict given, or what it computes instead; else empty."""
    return mark(row.across) if row.across else reason(row.cause, row.reason)


def cause(row: CandidateRow) -> str:
    """The cause and cure on the most severe problem, with the problem where there are several.

    Without one, how the candidate was called.
    """
    reasons = [(each, _short(each)) for each in _severe_first(row)]
    first = next(((each, text) for each, text in reasons if text), None)
    if first is None:
        return "; ".join(dict.fromkeys(each.notes for each in row.rows if each.notes))
    problems = [each.problem for each in row.rows]
    alike = len({text for _, text in reasons}) == 1
    where = "" if alike else f"{without(first[0].problem, shared_words(problems))}: "
    return f"{where}{first[1]}"


def introduction(problems: Sequence[Problem], baseline: str) -> str:
    """What the ratios are, and on which problems, in the order of each line."""
    if len(problems) == 1:
        return f"time over that of {baseline} [95 % interval] on {problems[0]}"
    shared = shared_words(problems)
    named = ", ".join(without(each, shared) for each in problems)
    common = common_words(problems[0], shared)
    return f"time over that of {baseline} [95 % interval] on {named} ({common})"


def own_score(row: CandidateRow, by: float) -> str:
    """The problems on which a candidate is right and faster, of how many."""
    found = score([row], by)
    return f"{found.faster}/{found.answers}"


def sentences(rows: Sequence[CandidateRow], baseline: str, by: float) -> list[str]:
    """The score over all candidates, and the best of them."""
    found = score(rows, by)
    more = f" by more than {percent(by)}" if by else ""
    several = len({len(each.rows) for each in rows} - {1}) > 0
    of = f"{counted(found.answers, 'answer')} of {counted(len(rows), 'candidate')}"
    first = (
        f"{of if several else counted(len(rows), 'candidate')}: {found.right} right, "
        f"{found.faster} right and faster than {baseline}{more}: score {found.value:.2f}."
    )
    best = best_first(rows, by)
    return [first, *([_best(best, by)] if several and best else [])]


def _best(rows: Sequence[CandidateRow], by: float) -> str:
    named = ", ".join(f"{row.label} {own_score(row, by)}" for row in rows[:_BEST])
    more = f", {len(rows) - _BEST} more" if len(rows) > _BEST else ""
    return f"Problems on which it is right and faster: {named}{more}."


def _short(row: ProblemRow) -> str:
    """The reason without its evidence, and what to change."""
    said = reason_of(row)
    if row.judgement in _FAULTS:
        said = sentence(said, row.slip)
    return f"{said}; {row.cure}" if row.cure else said


def _result(row: ProblemRow, *, alone: bool) -> str:
    shown = ratio_in(row.ratio, row.low, row.high)
    if not shown:
        return word(row.judgement)
    return shown if alone else f"{shown} {word(row.judgement)}"


def _severe_first(row: CandidateRow) -> list[ProblemRow]:
    """Problems without a time first, by the severity of their state."""
    order: Iterable[str] = [
        *STATES[1:],
        "another function",
        "not judged",
        SAME_KERNEL,
        "inconclusive",
    ]
    places = {judgement: place for place, judgement in enumerate(order)}
    return sorted(row.rows, key=lambda each: places.get(each.judgement, len(places)))
