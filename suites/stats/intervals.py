"""Confidence intervals of time ratios, the noise floor, and the number of sessions they need.

A ratio is the time of an implementation over that of the baseline: below 1 it is faster. The
session is the statistical unit: its samples give one ratio. All arithmetic uses logarithms, so that
swapping the two implementations inverts the ratio and changes nothing else.

The quantiles come from scipy.special. `scipy.stats.ttest_1samp` and `quantile_test` give the same
intervals, but take 1.0 and 2.4 ms a call instead of 0.08 and 0.03, and 1 s more to import.
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
"""With fewer rounds, even the interval from the smallest to the largest has less than 95 %."""
MOST_MORE: Final = 1000
"""Above this number of further sessions no estimate is given: such a run is not practical."""
RISK: Final = 0.05
"""Probability that an interval does not contain the true value."""
_ALIKE: Final = 1e-12
"""Log ratios closer than this differ by rounding, not by time."""

_TIED: Final = "the samples tie: the clock is too coarse for an interval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % confidence interval of a ratio.

    count  number of sessions or rounds
    basis  sessions: it holds for other processes too; this process: for the measured one only
    """

    estimate: float
    low: float
    high: float
    count: int
    basis: Basis

    @property
    def half_width(self) -> float:
        """Relative half-width: 0.01 is plus or minus 1 %."""
        return math.sqrt(self.high / self.low) - 1

    @property
    def excludes_one(self) -> bool:
        """Whether all of it lies below 1 or all above."""
        return self.low > 1 or self.high < 1

    def lies_within(self, delta: float) -> bool:
        """Whether both ends differ from 1 by at most delta."""
        return max(self.high, 1 / self.low) <= 1 + delta


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The reason why there is no interval."""

    reason: str


def round_log_ratios(base_ms: Sequence[float], other_ms: Sequence[float]) -> list[float]:
    """ln(other / base) of each round of one session.

    Raises ValueError for unequal counts, and for a sample that is not a positive number.
    """
    if len(base_ms) != len(other_ms):
        raise ValueError(
            f"{len(other_ms)} samples beside {len(base_ms)} of the baseline; expected as many, "
            "one of each for every round"
        )
    pairs = zip(_times(base_ms), _times(other_ms), strict=True)
    return [math.log(other / base) for base, other in pairs]


def log_ratio(base_ms: Sequence[float], other_ms: Sequence[float], *, paired: bool) -> float:
    """The log ratio of one session.

    paired  True: samples of equal index are of the same round; the median of their log ratios.
            False: the log ratio of the two medians, for any two counts

    Raises ValueError for no samples, for a sample that is not a positive number, and for unequal
    counts of paired samples.
    """
    if paired and base_ms:
        return median(round_log_ratios(base_ms, other_ms))
    return math.log(median(_times(other_ms)) / median(_times(base_ms)))


def over_sessions(log_ratios: Sequence[float]) -> Interval | Unsettled:
    """The mean of the sessions' log ratios with its Student t interval, as ratios."""
    return _student([log_ratios])


def between_runs(base: Sequence[float], new: Sequence[float]) -> Interval | Unsettled:
    """The ratio of a new run over that of a base run, with its Welch t interval."""
    return _student([new, base])


def within_process(log_ratios: Sequence[float]) -> Interval | Unsettled:
    """The median over the rounds of one session, with the exact interval of the sign test.

    Its ends are order statistics, so that it holds for any distribution, with ties too.
    """
    from scipy.special import bdtr  # noqa: PLC0415 - plans need no scipy, 0.8 s to import

    ordered, count = sorted(_finite(log_ratios)), len(log_ratios)
    if count < FEWEST_ROUNDS:
        return Unsettled(f"{count} rounds; an interval takes {FEWEST_ROUNDS}")
    # The smallest k with P(Binomial(count, 1/2) <= k) >= RISK / 2: the k-th from either end.
    k = bisect_left(range(count // 2), RISK / 2, key=lambda n: float(bdtr(n, count, 0.5)))
    low, high = ordered[k - 1], ordered[count - k]
    if high - low <= _ALIKE:
        return Unsettled(_TIED)
    return Interval(
        estimate=math.exp(median(ordered)),
        low=math.exp(low),
        high=math.exp(high),
        count=count,
        basis="this process",
    )


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half-width of the 95 % interval of a mean over sessions, in the unit of the values.

    For quantities that are no ratios of times. Student's t; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    return _half_width(_spreads([values])) if _has_spread([values]) else 0.0


def noise_floor(twin_log_ratios: Sequence[float], sessions: int) -> float | None:
    """The noise floor: the relative difference that identical code stays below in 95 % of runs.

    sessions  of a run

    The true mean of the twins is 0, so that the spread has one degree of freedom for each twin.
    None without twins.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - plans need no scipy, 0.8 s to import

    if not twin_log_ratios or sessions < 1:
        return None
    rms = math.sqrt(fmean(each**2 for each in _finite(twin_log_ratios)))
    quantile = float(stdtrit(len(twin_log_ratios), 1 - RISK / 2))
    return math.expm1(quantile * rms / math.sqrt(sessions))


def sessions_for(log_ratios: Sequence[float], half_width: float) -> int | None:
    """Number of sessions that gives this relative half-width, if the spread stays the same.

    None when more than 1000 further sessions are needed, and when there is no spread.
    """
    fewest = 2 - len(log_ratios)
    more = sessions_until([log_ratios], math.log1p(half_width), fewest=fewest)
    return None if more is None else len(log_ratios) + more


def sessions_until(
    series: Sequence[Sequence[float]], goal: float, *, fewest: int = 0
) -> int | None:
    """Number of further sessions, from `fewest` up, that gives the half-width `goal` in logs.

    None when more than 1000 are needed, and when there is no spread.
    """
    if min(map(len, series)) < 2 or not _has_spread(series):
        return None
    spreads, tried = _spreads(series), range(fewest, MOST_MORE + 1)

    def narrowness(more: int) -> float:
        return -_half_width((spread, count + more) for spread, count in spreads)

    index = bisect_left(tried, -goal, key=narrowness)
    return tried[index] if index < len(tried) else None


def _student(series: Sequence[Sequence[float]]) -> Interval | Unsettled:
    """The mean of one series, or the difference of two means, with its 95 % interval."""
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
    """The half-width, in logs, from variances and counts of one or two series.

    Student's for one; Welch's for two, with the degrees of freedom of Satterthwaite.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - plans need no scipy, 0.8 s to import

    parts = [(spread / count, count - 1) for spread, count in spreads]
    whole = sum(part for part, _ in parts)
    freedom = whole**2 / sum(part**2 / own for part, own in parts)
    return float(stdtrit(freedom, 1 - RISK / 2)) * math.sqrt(whole)


def _spreads(series: Sequence[Sequence[float]]) -> list[tuple[float, int]]:
    return [(variance(each), len(each)) for each in series]


def _has_spread(series: Sequence[Sequence[float]]) -> bool:
    return any(max(each) - min(each) > _ALIKE for each in series)


def _times(samples_ms: Sequence[float]) -> Sequence[float]:
    """The samples. Raises ValueError for none, and for one that is not a positive number."""
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
            raise ValueError(f"a log ratio of {each}; expected a finite number")
    return log_ratios
