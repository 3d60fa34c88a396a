"""Verdicts on ratios: faster, slower, same, inconclusive or not judged, and on what grounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, get_args

from suites.stats.intervals import (
    FEWEST_ROUNDS,
    MOST_MORE,
    RISK,
    Interval,
    Unsettled,
    between_runs,
    over_sessions,
    sessions_until,
    within_process,
)

Word = Literal["faster", "slower", "same", "inconclusive", "not judged"]
WORDS: Final[tuple[Word, ...]] = get_args(Word)
_ONE_PROCESS: Final = "one session: it holds within this process only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of a ratio, and on what grounds.

    ratio          the estimate; None when no session measured both
    interval       None when there is none: `reason` says why
    floor          what identical code may differ by here, relative; None without a twin
    delta          what counts as a difference, relative
    more_sessions  about how many more would settle what is inconclusive; None: it is settled, or
                   it cannot be told, or there would have to be more than 1000
    reason         why nothing was concluded, or what the conclusion is worth; empty for nothing
    """

    word: Word
    ratio: float | None
    interval: Interval | None
    floor: float | None
    delta: float
    more_sessions: int | None = None
    reason: str = ""


def judge(
    log_ratios: Sequence[float],
    *,
    delta: float,
    floor: float | None = None,
    rounds: Sequence[float] = (),
) -> Verdict:
    """The verdict on the sessions' log ratios; with one session alone, on its rounds'.

    delta  what counts as a difference, relative; never enlarged
    floor  what identical code may differ by: it withholds *same* where it is beyond delta, and
           *faster* and *slower* where it is beyond the difference found
    """
    if not log_ratios:
        return not_judged("no session measured both", delta=delta, floor=floor)
    if len(log_ratios) > 1:
        found = over_sessions(log_ratios)
    else:
        found = within_process(rounds)
        if isinstance(found, Unsettled) and len(rounds) < FEWEST_ROUNDS:
            found = Unsettled(f"one session; an interval takes 2, or {FEWEST_ROUNDS} rounds of it")
    return _judged(found, [log_ratios], delta=delta, floor=floor)


def judge_between(
    base: Sequence[float], new: Sequence[float], *, delta: float, floor: float | None = None
) -> Verdict:
    """The verdict on how the ratio of one run differs from another's: faster is the new one."""
    if not (base and new):
        return not_judged("no session measured both", delta=delta, floor=floor)
    return _judged(between_runs(base, new), [new, base], delta=delta, floor=floor)


def not_judged(
    reason: str, *, delta: float, floor: float | None = None, ratio: float | None = None
) -> Verdict:
    """A verdict that says why there is none."""
    return Verdict(
        word="not judged", ratio=ratio, interval=None, floor=floor, delta=delta, reason=reason
    )


def more_sessions(*series: Sequence[float], delta: float) -> int | None:
    """The fewest further sessions that would give a verdict if mean and spread stay as they are.

    series  log ratios; those of two runs, where the first is held against the second

    None when that takes more than 1000, when the estimate lies at delta itself, and when there is
    no spread to tell it from.
    """
    return sessions_until(series, _goal(_estimate(series), delta)) if all(series) else None


def false_verdicts(count: int) -> float:
    """How many of so many intervals are expected to exclude 1 though nothing differs."""
    return RISK * count


def _judged(
    found: Interval | Unsettled,
    series: Sequence[Sequence[float]],
    *,
    delta: float,
    floor: float | None,
) -> Verdict:
    ratio = math.exp(_estimate(series))
    if isinstance(found, Unsettled):
        return not_judged(found.reason, ratio=ratio, delta=delta, floor=floor)
    word, reason = _word(found, delta, floor)
    more = None
    if word == "inconclusive" and found.lies_within(delta):
        more = _until_floor(found, delta, floor)
    elif word == "inconclusive" and found.excludes_one and _size(found) > delta:
        more = _until_floor(found, _size(found), floor)
    elif word == "inconclusive":
        more = more_sessions(*series, delta=delta)
    if found.basis == "this process":
        reason = "; ".join(filter(None, [_ONE_PROCESS, reason]))
    return Verdict(
        word=word,
        ratio=ratio,
        interval=found,
        floor=floor,
        delta=delta,
        more_sessions=more,
        reason=reason,
    )


def _estimate(series: Sequence[Sequence[float]]) -> float:
    """The log of a ratio: the mean of the first series, less that of a second."""
    return fmean(series[0]) - sum(map(fmean, series[1:]))


def _word(found: Interval, delta: float, floor: float | None) -> tuple[Word, str]:
    """The verdict, and what is to be said of it."""
    limit = f"{100 * delta:.3g} %"
    if found.excludes_one and _size(found) > delta:
        if floor is not None and _size(found) <= floor:
            return "inconclusive", "identical code may differ by as much here"
        return ("slower" if found.low > 1 else "faster"), ""
    if found.lies_within(delta):
        if floor is not None and floor > delta:
            return "inconclusive", f"within {limit}, but identical code may differ by more here"
        return "same", ""
    if found.excludes_one:
        return "inconclusive", f"it differs, but perhaps by less than {limit}"
    return "inconclusive", f"the interval holds 1 and also differences beyond {limit}"


def _size(found: Interval) -> float:
    """How far an estimate is from 1, relative, either way."""
    return max(found.estimate, 1 / found.estimate) - 1


def _until_floor(found: Interval, limit: float, floor: float | None) -> int | None:
    """Further sessions until identical code differs by less than that: by the root of the count."""
    if floor is None or found.basis == "this process":
        return None
    needed = math.ceil(found.count * (math.log1p(floor) / math.log1p(limit)) ** 2)
    return needed - found.count if needed - found.count <= MOST_MORE else None


def _goal(log_estimate: float, delta: float) -> float:
    """The half-width that gives a verdict: to exclude 1, or to lie within delta."""
    size, limit = abs(log_estimate), math.log1p(delta)
    return size if size > limit else limit - size
