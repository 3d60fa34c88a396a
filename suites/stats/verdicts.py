"""Verdicts on ratios: faster, slower, same, inconclusive or not judged, with the evidence."""

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
    """A verdict and its evidence.

    ratio          the estimate; None when no session measured both
    interval       None when there is none; `reason` says why
    floor          noise floor, relative: the difference of identical code; None without a twin
    delta          smallest difference that counts, relative
    more_sessions  estimated number of further sessions that would decide an inconclusive ratio;
                   None when decided, without an estimate, or above 1000
    reason         why the verdict is inconclusive or not judged, or a restriction of it
    withheld       whether it was decided, and disturbed rounds contradict it
    """

    word: Word
    ratio: float | None
    interval: Interval | None
    floor: float | None
    delta: float
    more_sessions: int | None = None
    reason: str = ""
    withheld: bool = False


def judge(
    log_ratios: Sequence[float],
    *,
    delta: float,
    floor: float | None = None,
    rounds: Sequence[float] = (),
) -> Verdict:
    """The verdict on the log ratios of several sessions, or on the rounds of a single one.

    delta   smallest difference that counts, relative; never enlarged
    floor   noise floor. Above delta it withholds *same*; above the estimated difference it
            withholds *faster* and *slower*
    rounds  log ratios of the rounds of a single session
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
    """The verdict on a new run's ratio over a base run's; *faster* means that the new one is."""
    if not (base and new):
        return not_judged("no session measured both", delta=delta, floor=floor)
    return _judged(between_runs(base, new), [new, base], delta=delta, floor=floor)


def not_judged(
    reason: str, *, delta: float, floor: float | None = None, ratio: float | None = None
) -> Verdict:
    """The verdict `not judged`, with its reason."""
    return Verdict(
        word="not judged", ratio=ratio, interval=None, floor=floor, delta=delta, reason=reason
    )


def more_sessions(*series: Sequence[float], delta: float) -> int | None:
    """The fewest further sessions that would decide, if mean and spread stay the same.

    series  log ratios of one run; or of a new and a base run

    None when more than 1000 are needed, when the estimate equals delta, and without spread.
    """
    return sessions_until(series, _goal(_estimate(series), delta)) if all(series) else None


def false_verdicts(count: int) -> float:
    """Expected number of intervals, of `count`, that exclude 1 although nothing differs."""
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
    """The log ratio: the mean of the first series minus that of a second."""
    return fmean(series[0]) - sum(map(fmean, series[1:]))


def _word(found: Interval, delta: float, floor: float | None) -> tuple[Word, str]:
    """The verdict and its reason."""
    limit = f"{100 * delta:.3g} %"
    if found.excludes_one and _size(found) > delta:
        if floor is not None and _size(found) <= floor:
            return "inconclusive", "the difference is not above the noise floor"
        return ("slower" if found.low > 1 else "faster"), ""
    if found.lies_within(delta):
        if floor is not None and floor > delta:
            return "inconclusive", f"within {limit}, but the noise floor is above that"
        return "same", ""
    if found.excludes_one:
        return "inconclusive", f"it differs, but perhaps by less than {limit}"
    return "inconclusive", f"the interval contains 1 and differences above {limit}"


def _size(found: Interval) -> float:
    """The relative distance of the estimate from 1, equal for a ratio and its inverse."""
    return max(found.estimate, 1 / found.estimate) - 1


def _until_floor(found: Interval, limit: float, floor: float | None) -> int | None:
    """Further sessions until the noise floor is below `limit`; it falls with 1/sqrt(sessions)."""
    if floor is None or found.basis == "this process":
        return None
    needed = math.ceil(found.count * (math.log1p(floor) / math.log1p(limit)) ** 2)
    return needed - found.count if needed - found.count <= MOST_MORE else None


def _goal(log_estimate: float, delta: float) -> float:
    """The half-width in logs that decides: excludes 1, or keeps the interval within delta."""
    size, limit = abs(log_estimate), math.log1p(delta)
    return size if size > limit else limit - size
