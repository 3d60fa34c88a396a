"""How fast time grows between neighbouring lengths: the exponent, with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from reports.growth.lines import Line
from reports.judging.verdicts import Timed
from reports.timings import session_ms
from suites.stats.intervals import Unsettled, log_ratio, over_sessions

Sessions = Mapping[int, float]
"""What each session tells of one problem: the median of its rounds, in ms."""

Times = list[tuple[int, Sessions]]
"""By length, the shortest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponent:
    """log(t(longer) / t(shorter)) / log(longer / shorter): 1 is in proportion, 2 the square.

    low, high  its 95 % interval over sessions; None without one, and `why` says why
    sessions   those that measured both lengths
    """

    shorter: int
    longer: int
    value: float
    low: float | None = None
    high: float | None = None
    sessions: int = 0
    why: str = ""

    def __str__(self) -> str:
        """To a hundredth, with its interval where it has one: 1.97 [1.95, 1.99]."""
        ends = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.2f}{ends}"


def times(line: Line, timed: Timed, threads: int) -> Times:
    """Of every length that was timed with so many threads."""
    found = [
        (size, timed.get((problem, threads), {}).get(line.implementation, ()))
        for problem, size in zip(line.problems, line.sizes, strict=True)
    ]
    return [
        (size, {r.session: session_ms(r) for r in records}) for size, records in found if records
    ]


def exponents(told: Times) -> list[Exponent]:
    """One for each two neighbouring lengths; those at which a clock stood still are left aside.

    The whole length is: what is left of it, sessions in which the clock moved, would be too long.
    """
    moved = [(size, sessions) for size, sessions in told if all(sessions.values())]
    return [
        local(shorter, longer, short_ms, long_ms)
        for (shorter, short_ms), (longer, long_ms) in pairwise(moved)
    ]


def local(shorter: int, longer: int, short_ms: Sessions, long_ms: Sessions) -> Exponent:
    """The exponent between two lengths, by the sessions that measured both.

    Where none did, by the medians over the sessions of either, without an interval. Raises
    ValueError for a time that is no time.
    """
    doublings = math.log(longer / shorter)
    both = sorted(short_ms.keys() & long_ms.keys())
    if not both:
        ratio = log_ratio(list(short_ms.values()), list(long_ms.values()), paired=False)
        why = "no session measured both lengths"
        return Exponent(shorter=shorter, longer=longer, value=ratio / doublings, why=why)
    ratios = [log_ratio([short_ms[each]], [long_ms[each]], paired=False) for each in both]
    low, high, why = _interval(ratios)
    return Exponent(
        shorter=shorter,
        longer=longer,
        value=fmean(ratios) / doublings,
        low=None if low is None else low / doublings,
        high=None if high is None else high / doublings,
        sessions=len(both),
        why=why,
    )


def _interval(ratios: Sequence[float]) -> tuple[float | None, float | None, str]:
    """Both ends of the log ratio, or why there are none."""
    if len(ratios) == 1:
        return None, None, "one session: no interval"
    found = over_sessions(ratios)
    if isinstance(found, Unsettled):
        return None, None, found.reason
    return math.log(found.low), math.log(found.high), ""
