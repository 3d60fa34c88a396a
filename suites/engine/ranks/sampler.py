"""The clock of calls of a group: handing inputs and outputs over is not timed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from suites.engine.ranks.groups import Groups
from suites.measure.timing import Call


@dataclass(slots=True)
class RanksClock:
    """The time of the slowest rank: each rank reads its own clock around its own calls.

    by_rank  milliseconds of every rank, at the last stop
    """

    groups: Groups
    by_rank: tuple[float, ...] = ()

    def start(self) -> None:
        """Count from zero."""
        self.groups.start_clock()

    def stop(self) -> float:
        """Milliseconds that the slowest rank spent in its calls since `start`."""
        self.by_rank = self.groups.stop_clock()
        return max(self.by_rank, default=0.0)


@dataclass(slots=True)
class RanksSampler:
    """Takes samples of the calls of a group.

    samples  milliseconds of one call, for each sample by rank
    """

    clock: RanksClock
    name: str = "host"
    samples: list[tuple[float, ...]] = field(default_factory=list)
    _handing_over_ms: float = 0.0

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call on the slowest rank: the mean of `count` calls."""
        began = time.monotonic()
        self.clock.start()
        for index in range(count):
            calls[index % len(calls)]()
        took_ms = self.clock.stop()
        self.samples.append(tuple(each / count for each in self.clock.by_rank))
        self._handing_over_ms = max(0.0, 1000 * (time.monotonic() - began) - took_ms) / count
        return took_ms / count

    def aside_ms(self, count: int) -> float:
        """Milliseconds of handing over inputs and outputs, as in the last sample."""
        return self._handing_over_ms * count
