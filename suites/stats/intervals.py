"""What times say of a ratio: its interval, the noise floor, and how many sessions it takes.

A ratio is the time of an implementation over the baseline's: below 1 it is faster. The session is
the statistical unit: its samples make its own ratio and nothing else. All arithmetic is done on
logarithms, so that swapping the two turns a verdict round and changes nothing else.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, variance
from typing import Final, Literal

Basis = Literal["sessions", "this process"]

FEWEST_ROUNDS: Final = 6
"""With fewer, the smallest and the largest round leave out the median too often."""
MOST_MORE: Final = 1000
"""Nobody waits for more sessions than that: it is not said how many there would have to be."""
RISK: Final = 0.05
"""How often an interval may miss what it is for."""
_ALIKE: Final = 1e-12
"""Log ratios nearer to each other differ by arithmetic, not by time."""

_TIED: Final = "the samples tie: the clock is too coarse for an interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a ratio lies, with 95 % confidence.

    count  the sessions, or the rounds, that it rests on
    basis  sessions: it holds for the next process too; this process: for the one measured only
    """

    estimate: float
    low: float
    high: float
    count: int
    basis: Basis

    @property
    def half_width(self) -> float:
        """How far its ends lie from its middle, relative: 0.01 is a hundredth either way."""
        return math.sqrt(self.high / self.low) - 1

    @property
    def excludes_one(self) -> bool:
        """Whether all of it is faster, or all of it slower."""
        return self.low > 1 or self.high < 1

    def lies_within(self, delta: float) -> bool:
        """Whether no end of it differs from 1 by more than delta."""
        return max(self.high, 1 / self.low) <= 1 + delta


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Why there is no interval, in words."""

    reason: str


def round_log_ratios(base_ms: Sequence[float], other_ms: Sequence[float]) -> list[float]:
    """ln(other / base) of each round of one session.

    Raises ValueError for unequal counts, and for a sample that is no time.
    """
    if len(base_ms) != len(other_ms):
        raise ValueError(
            f"{len(other_ms)} samples beside {len(base_ms)} of the baseline; expected as many: "
            "they stand in the same rounds"
        )
    pairs = zip(_times(base_ms), _times(other_ms), strict=True)
    return [math.log(other / base) for base, other in pairs]


def log_ratio(base_ms: Sequence[float], other_ms: Sequence[float], *, paired: bool) -> float:
    """The log ratio of one session.

    paired  samples of the same place stand in the same round: the median over the rounds.
            Otherwise the ratio of the two medians, for any two counts

    Raises ValueError for no samples, for a sample that is no time, and for unequal counts of pairs.
    """
    if paired and base_ms:
        return median(round_log_ratios(base_ms, other_ms))
    return math.log(median(_times(other_ms)) / median(_times(base_ms)))


def over_sessions(log_ratios: Sequence[float]) -> Interval | Unsettled:
    """The mean of the sessions' log ratios with its Student interval, as ratios."""
    return _student([log_ratios])


def between_runs(base: Sequence[float], new: Sequence[float]) -> Interval | Unsettled:
    """How the ratio of one run's sessions differs from another's, as a ratio of ratios (Welch)."""
    return _student([new, base])


def within_process(log_ratios: Sequence[float]) -> Interval | Unsettled:
    """The median over the rounds of one session with its exact sign interval, as ratios.

    Its ends are rounds, so that it holds for any distribution, with ties too.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - plans are made without scipy

    ordered, count = sorted(_finite(log_ratios)), len(log_ratios)
    if count < FEWEST_ROUNDS:
        return Unsettled(f"{count} rounds; an interval takes {FEWEST_ROUNDS}")
    # Left out at either end: as many rounds as miss the median on one side seldom enough.
    out = bisect_left(range(count // 2), RISK / 2, key=lambda k: float(bdtr(k, count, 0.5)))
    low, high = ordered[out - 1], ordered[count - out]
    if high - low <= _ALIKE:
        return Unsettled(_TIED)
    return Interval(
        estimate=math.exp(median(ordered)),
        low=math.exp(low),
        high=math.exp(high),
        count=count,
        basis="this process",
    )


def noise_floor(twin_log_ratios: Sequence[float], sessions: int) -> float | None:
    """What identical code may differ by over so many sessions, relative, in 95 of 100 cases.

    The twins' mean is known to be 0, so that each of them tells of the spread. None without one.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - plans are made without scipy

    if not twin_log_ratios or sessions < 1:
        return None
    rms = math.sqrt(fmean(each**2 for each in _finite(twin_log_ratios)))
    reach = float(stdtrit(len(twin_log_ratios), 1 - RISK / 2))
    return math.expm1(reach * rms / math.sqrt(sessions))


def sessions_for(log_ratios: Sequence[float], half_width: float) -> int | None:
    """The sessions at which an interval would be as narrow, if their spread stays as it is.

    None when that takes more than 1000 beyond these, and when they have no spread to tell it from.
    """
    fewest = 2 - len(log_ratios)
    more = sessions_until([log_ratios], math.log1p(half_width), fewest=fewest)
    return None if more is None else len(log_ratios) + more


def sessions_until(
    series: Sequence[Sequence[float]], goal: float, *, fewest: int = 0
) -> int | None:
    """Further sessions, from `fewest` up, that would narrow half of the interval to a goal in logs.

    None when that takes more than 1000, and when the series have no spread to tell it from.
    """
    if min(map(len, series)) < 2 or not _has_spread(series):
        return None
    spreads, tried = _spreads(series), range(fewest, MOST_MORE + 1)

    def narrowness(more: int) -> float:
        return -_half_width((spread, count + more) for spread, count in spreads)

    place = bisect_left(tried, -goal, key=narrowness)
    return tried[place] if place < len(tried) else None


def _student(series: Sequence[Sequence[float]]) -> Interval | Unsettled:
    """The mean of a series, or how far the first lies from the second, with a 95 % interval."""
    fewest = min(len(_finite(each)) for each in series)
    if fewest < 2:
        apart = " of each run" if len(series) > 1 else ""
        return Unsettled(f"an interval takes 2 sessions{apart}, not {fewest}")
    if not _has_spread(series):
        return Unsettled(_TIED)
    middle = fmean(series[0]) - sum(fmean(each) for each in series[1:])
    half = _half_width(_spreads(series))
    return Interval(
        estimate=math.exp(middle),
        low=math.exp(middle - half),
        high=math.exp(middle + half),
        count=fewest,
        basis="sessions",
    )


def _half_width(spreads: Iterable[tuple[float, int]]) -> float:
    """Half of the interval, in logs, of series with these variances and counts.

    For two series Welch's, with the degrees of freedom of Satterthwaite; for one it is Student's.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - plans are made without scipy

    parts = [(spread / count, count - 1) for spread, count in spreads]
    whole = sum(part for part, _ in parts)
    freedom = whole**2 / sum(part**2 / own for part, own in parts)
    return float(stdtrit(freedom, 1 - RISK / 2)) * math.sqrt(whole)


def _spreads(series: Sequence[Sequence[float]]) -> list[tuple[float, int]]:
    return [(variance(each), len(each)) for each in series]


def _has_spread(series: Sequence[Sequence[float]]) -> bool:
    return any(max(each) - min(each) > _ALIKE for each in series)


def _times(samples_ms: Sequence[float]) -> Sequence[float]:
    """The samples. Raises ValueError when there are none, or one of them is no time."""
    if not samples_ms:
        raise ValueError("no samples; expected at least 1")
    for sample in samples_ms:
        if not 0 < sample < math.inf:
            raise ValueError(
                f"a sample of {sample:g} ms; expected more than 0: the clock stands still or fails"
            )
    return samples_ms


def _finite(log_ratios: Sequence[float]) -> Sequence[float]:
    for each in log_ratios:
        if not math.isfinite(each):
            raise ValueError(f"a log ratio of {each}; expected a number")
    return log_ratios
