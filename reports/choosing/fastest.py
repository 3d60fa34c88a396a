"""Who is fastest on a problem, and who is not told apart from it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from reports.choosing.ratios import Ratios
from suites.stats.intervals import Interval, over_sessions


@dataclass(frozen=True)
class Rival:
    """An implementation beside the fastest.

    ratio     its time over that of the fastest; None where no session timed both
    interval  of that ratio, over sessions; None where there is none
    """

    name: str
    median_ms: float
    ratio: float | None
    interval: Interval | None

    @property
    def apart(self) -> bool:
        """Whether sessions tell that it is slower: the interval is all beyond 1."""
        return self.interval is not None and self.interval.low > 1

    @property
    def is_faster(self) -> bool:
        """Whether sessions tell that it is faster, whatever the medians say."""
        return self.interval is not None and self.interval.high < 1


@dataclass(frozen=True)
class Ranking:
    """The implementations of one panel on one problem; `rivals` of the fastest, by time.

    not_reached  those that may yet turn out faster: the run or its budget ended before their times
    """

    name: str
    median_ms: float
    sessions: int
    rivals: tuple[Rival, ...]
    not_reached: tuple[str, ...]

    @cached_property
    def alternatives(self) -> tuple[Rival, ...]:
        """Those that are not told apart from the fastest."""
        return tuple(each for each in self.rivals if not each.apart)

    @property
    def decided(self) -> bool:
        """Whether all others are told apart from it, or have no time for a reason of their own."""
        return not self.alternatives and not self.not_reached


def ranking(
    ratios: Ratios, rows: Mapping[str, Mapping[str, Any]], able: Collection[str] = ()
) -> Ranking | None:
    """Who is fastest; None where no clock went on.

    rows  of `measurements`, by implementation
    able  those of the panel that nothing but time keeps from having a time; all in `ratios` have

    The least median, unless pairs within sessions tell another to be faster: then the next one.
    """
    timed = [name for name in ratios.names if name in rows and rows[name]["median_ms"]]
    timed.sort(key=lambda name: float(rows[name]["median_ms"]))
    lacking = tuple(name for name in able if name not in ratios.names)
    every = (_ranked(ratios, timed, first, rows, lacking) for first in timed)
    found = next((each for each in every if not any(r.is_faster for r in each.rivals)), None)
    # Each is slower than some other only where pairs of several sessions run in a circle.
    return found or (_ranked(ratios, timed, timed[0], rows, lacking) if timed else None)


def _ranked(
    ratios: Ratios,
    timed: Sequence[str],
    first: str,
    rows: Mapping[str, Mapping[str, Any]],
    not_reached: tuple[str, ...],
) -> Ranking:
    others = (name for name in timed if name != first)
    return Ranking(
        name=first,
        median_ms=float(rows[first]["median_ms"]),
        sessions=int(rows[first]["sessions"]),
        rivals=tuple(_rival(ratios, first, name, rows[name]) for name in others),
        not_reached=not_reached,
    )


def _rival(ratios: Ratios, first: str, name: str, row: Mapping[str, Any]) -> Rival:
    logs = ratios.between(first, name)
    found = over_sessions(logs) if logs else None
    return Rival(
        name=name,
        median_ms=float(row["median_ms"]),
        ratio=math.exp(fmean(logs)) if logs else None,
        interval=found if isinstance(found, Interval) else None,
    )
