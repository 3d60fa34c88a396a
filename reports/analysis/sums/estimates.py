"""Sums and savings with 95 % intervals: mean and Student interval over sessions, in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from reports.analysis.sums.script_costs import Cost
from suites.stats.intervals import RISK, Interval, over_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval; low and high are None without two sessions."""

    value: float
    low: float | None = None
    high: float | None = None
    sessions: int = 0

    def over(self, divisor: float) -> Estimate:
        """The same figure as a share of another one, which is taken as exact."""
        low = None if self.low is None else self.low / divisor
        high = None if self.high is None else self.high / divisor
        return Estimate(value=self.value / divisor, low=low, high=high, sessions=self.sessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The time saved in one step; negative where time is lost.

    ms       per step
    share    of the time that attention takes now
    of_step  of the whole step; None where that was not recorded
    """

    ms: Estimate
    share: Estimate
    of_step: Estimate | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the interval lies above 0."""
        return self.share.low is not None and self.share.low > 0

    @property
    def is_loss(self) -> bool:
        """Whether the interval lies below 0."""
        return self.share.high is not None and self.share.high < 0


def estimated(values: Sequence[float], further: float = 0.0) -> Estimate:
    """The geometric mean of one value for each session, with its interval.

    further  a half-width in logarithms that joins that of the sessions, by root of squares
    """
    logs = [math.log(each) for each in values]
    middle, half = fmean(logs), _half_width(logs)
    if half is None:
        return Estimate(value=math.exp(middle), sessions=len(logs))
    whole = math.hypot(half, further)
    return Estimate(
        value=math.exp(middle),
        low=math.exp(middle - whole),
        high=math.exp(middle + whole),
        sessions=len(logs),
    )


def saved(now: Sequence[float], then: Sequence[float], further_ms: Sequence[float] = ()) -> Saving:
    """The saving of one sum over another, from pairs within sessions.

    now, then   sums of the same sessions, milliseconds
    further_ms  half-widths that join that of the sessions, by root of squares

    With R the ratio of the sums and h(R) its half-width, the half-width of the share is that of
    R (exp(h(R)) - 1). The time saved is now (1 - R), and the interval of `now` joins its own.
    """
    logs = [math.log(new / old) for old, new in zip(now, then, strict=True)]
    base, ratio, half = estimated(now), math.exp(fmean(logs)), _half_width(logs)
    share, count = 1 - ratio, len(logs)
    if half is None or base.high is None:
        ms = Estimate(value=base.value * share, sessions=count)
        return Saving(ms=ms, share=Estimate(value=share, sessions=count))
    relative = math.hypot(ratio * math.expm1(half), *(each / base.value for each in further_ms))
    scale = abs(share) * (base.high / base.value - 1)
    return Saving(
        ms=_around(base.value * share, base.value * math.hypot(relative, scale), count),
        share=_around(share, relative, count),
    )


def saved_in_layers(
    now: Sequence[float],
    saved_ms: Sequence[float],
    cost: Cost,
    further_ms: Sequence[float] = (),
) -> Saving:
    """The saving from differences of times with a layer: their mean and Student interval.

    now         sums of the same sessions, milliseconds
    saved_ms    of each session
    cost        of the change beyond what layers show
    further_ms  half-widths that join that of the sessions, by root of squares
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.8 s to import

    base, middle, count = estimated(now).value, fmean(saved_ms) - cost.ms, len(saved_ms)
    ms = Estimate(value=middle, sessions=count)
    if count > 1:
        quantile = float(stdtrit(count - 1, 1 - RISK / 2))
        half = math.hypot(quantile * stdev(saved_ms) / math.sqrt(count), *further_ms)
        low, high = middle - math.hypot(half, cost.above), middle + math.hypot(half, cost.below)
        ms = Estimate(value=middle, low=low, high=high, sessions=count)
    return Saving(ms=ms, share=ms.over(base))


def _around(value: float, half: float, count: int) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, sessions=count)


def _half_width(logs: Sequence[float]) -> float | None:
    """Half the length of the Student interval in logs; None for fewer than two sessions.

    Equal values have none of their own: 0.
    """
    if len(logs) < 2:
        return None
    found = over_sessions(logs)
    return math.log(found.high / found.low) / 2 if isinstance(found, Interval) else 0.0
