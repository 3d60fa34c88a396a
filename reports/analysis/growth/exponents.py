"""Local exponents of time between neighbouring lengths, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from reports.analysis.growth.series import Series
from reports.rows.answers import Timed
from reports.rows.timings import session_ms
from suites.stats.intervals import Interval, Unsettled, log_ratio, over_sessions

Sessions = Mapping[int, float]
"""The time of one problem in each session, ms: the median of its rounds."""

Times = list[tuple[int, Sessions]]
"""By length, the shortest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponent:
    """log(t(longer) / t(shorter)) / log(longer / shorter): 1 is linear growth, 2 quadratic.

    low, high   its 95 % interval over sessions; None without one
    sessions    sessions that measured both lengths; without one there is no interval
    unsettled   why two sessions or more give no interval; None where they do, and with fewer
    """

    shorter: int
    longer: int
    value: float
    low: float | None = None
    high: float | None = None
    sessions: int = 0
    unsettled: Unsettled | None = None

    def __str__(self) -> str:
        """To a hundredth, with its interval where it has one: 1.97 [1.95, 1.99]."""
        ends = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{ends}"


def times(series: Series, timed: Timed, threads: int) -> Times:
    """The times of every length that was timed with this number of threads."""
    found = [
        (size, timed.get((problem, threads), {}).get(series.implementation, ()))
        for problem, size in zip(series.problems, series.sizes, strict=True)
    ]
    return [
        (size, {r.session: session_ms(r) for r in records}) for size, records in found if records
    ]


def exponents(found: Times) -> list[Exponent]:
    """One for each two neighbouring lengths.

    A length with a time of 0 in any session is left out as a whole: the sessions in which the clock
    advanced would give too long a time.
    """
    moved = [(size, sessions) for size, sessions in found if all(sessions.values())]
    return [
        local(shorter, longer, short_ms, long_ms)
        for (shorter, short_ms), (longer, long_ms) in pairwise(moved)
    ]


def local(shorter: int, longer: int, short_ms: Sessions, long_ms: Sessions) -> Exponent:
    """The exponent between two lengths, from the sessions that measured both.

    Without such a session it is computed from the medians over the sessions of either length, and
    has no interval. Raises ValueError for a time that is not positive.
    """
    doublings = math.log(longer / shorter)
    both = sorted(short_ms.keys() & long_ms.keys())
    if not both:
        ratio = log_ratio(list(short_ms.values()), list(long_ms.values()), paired=False)
        return Exponent(shorter=shorter, longer=longer, value=ratio / doublings)
    ratios = [log_ratio([short_ms[each]], [long_ms[each]], paired=False) for each in both]
    found = over_sessions(ratios) if len(ratios) > 1 else None
    return Exponent(
        shorter=shorter,
        longer=longer,
        value=fmean(ratios) / doublings,
        low=math.log(found.low) / doublings if isinstance(found, Interval) else None,
        high=math.log(found.high) / doublings if isinstance(found, Interval) else None,
        sessions=len(both),
        unsettled=found if isinstance(found, Unsettled) else None,
    )
