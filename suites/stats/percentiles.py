"""Percentiles of single calls, with distribution-free confidence intervals.

Both ends of an interval are order statistics: of `n` calls, the number below the true percentile
is binomial, whatever the distribution (David and Nagaraja 2003, section 7.1).
`scipy.stats.quantile_test` gives the same intervals, and takes 1 s more to import.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

from suites.stats.intervals import RISK


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """A percentile with its 95 % confidence interval.

    percent  99 is p99
    count    number of calls it is computed from
    """

    percent: int
    value: float
    low: float
    high: float
    count: int


def percentile(samples: Sequence[float], percent: int) -> Percentile | None:
    """A percentile of samples in any order; None where too few of them give no interval.

    The value is the smallest sample that at least so many percent of the samples do not exceed.
    Raises ValueError for a percent outside of 1 to 99.
    """
    count, ordered = len(samples), sorted(samples)
    if count < fewest(percent):
        return None
    low, high = _ends(count, percent)
    return Percentile(
        percent=percent,
        value=nearest_rank(ordered, percent),
        low=ordered[low - 1],
        high=ordered[high - 1],
        count=count,
    )


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """The smallest of sorted samples that at least so many percent of them do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def fewest(percent: int) -> int:
    """Fewest calls that give a percentile its interval: 6 for p50, 72 for p95, 368 for p99.

    Raises ValueError for a percent outside of 1 to 99.
    """
    if not 1 <= percent <= 99:
        raise ValueError(f"percentile {percent}; expected a whole number from 1 to 99")
    return ceil(log(RISK / 2) / log(max(percent, 100 - percent) / 100))


def _ends(count: int, percent: int) -> tuple[int, int]:
    """The ranks of both ends, counted from 1: beyond each lies at most half of the risk."""
    from scipy.special import bdtr  # noqa: PLC0415 - plans need no scipy, 0.8 s to import

    def at_most(below: int) -> float:
        """Probability that so many calls, or fewer, are below the true percentile."""
        return float(bdtr(below, count, percent / 100))

    low = bisect_right(range(count), RISK / 2, key=at_most)
    high = bisect_left(range(count), 1 - RISK / 2, key=at_most) + 1
    return low, high
