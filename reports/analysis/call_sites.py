"""The time of a recorded script in attention, by line, function and problem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from suites.recording.collecting import Collected
from suites.records.workload import Recorded, Unrecorded


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one problem by one function from one line. Times are sums over the whole script.

    problem      its text; empty for calls that the grammar cannot express
    reason       what it cannot express; empty for a problem
    shapes       of q, k and v, where there is no problem
    forward_ms   without the first call, whose place the mean of the others takes
    backward_ms  None: no backward pass, or it was not seen
    unseen       whether backward passes took place that were not timed
    first_ms     the first call, forward; None: not timed
    """

    place: str
    by: str
    problem: str
    reason: str
    shapes: tuple[tuple[int, ...], ...]
    count: int
    forward_ms: float
    backward_ms: float | None
    unseen: bool
    first_ms: float | None

    @property
    def total_ms(self) -> float:
        """Forward and backward; without a backward pass that was not seen."""
        return self.forward_ms + (self.backward_ms or 0.0)

    @property
    def later_ms(self) -> float:
        """The mean of a call after the first one, forward."""
        return self.forward_ms / self.count if self.count else 0.0

    @property
    def set_up_ms(self) -> float:
        """Time of the first call above a later one; 0 for a single call, which has no later."""
        if self.first_ms is None or self.count == 1:
            return 0.0
        return max(0.0, self.first_ms - self.later_ms)


@dataclass(frozen=True, slots=True)
class CallSite:
    """A line that calls attention, with its calls: the longest time first."""

    place: str
    calls: tuple[Calls, ...]

    @property
    def script(self) -> str:
        """The innermost line of the script, as "train.py:31 step"."""
        return self.place.rpartition(" < ")[2]

    @property
    def library(self) -> str:
        """The line of a library that the script called; empty for a model of the script itself."""
        return self.place.rpartition(" < ")[0]

    @property
    def file(self) -> str:
        """The file of the script's line, with its folder."""
        return self.script.rpartition(":")[0]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions of attention that it calls."""
        return tuple(dict.fromkeys(each.by for each in self.calls))

    @property
    def count(self) -> int:
        """Calls in the whole script."""
        return sum(each.count for each in self.calls)

    @property
    def forward_ms(self) -> float:
        """Of the whole script."""
        return sum(each.forward_ms for each in self.calls)

    @property
    def backward_ms(self) -> float | None:
        """Of the whole script; None where no backward pass has a time."""
        known = [each.backward_ms for each in self.calls if each.backward_ms is not None]
        return sum(known) if known else None

    @property
    def unseen(self) -> bool:
        """Whether some of its backward passes were not timed."""
        return any(each.unseen for each in self.calls)

    @property
    def total_ms(self) -> float:
        """Forward and backward, of the whole script."""
        return sum(each.total_ms for each in self.calls)

    @property
    def first_ms(self) -> float | None:
        """The slowest first call of its problems."""
        return max((c.first_ms for c in self.calls if c.first_ms is not None), default=None)


@dataclass(frozen=True, slots=True)
class CallSites:
    """The time of a recorded script, by line.

    sites   the longest time first
    steps   of the script; 1: the whole script is the unit that shares are of
    took_ms   median wall time of a step, or of the whole script from the first call to the last
    span_ms   wall time from the first call to the last, of all processes together
    """

    found: Collected
    sites: tuple[CallSite, ...]
    steps: int
    processes: int
    took_ms: float
    span_ms: float

    @property
    def has_steps(self) -> bool:
        """Whether figures are of a step, and not of the whole script."""
        return self.steps > 1

    @property
    def units(self) -> int:
        """Steps of all processes; 1 for the whole script."""
        return self.steps * self.processes if self.has_steps else 1

    def each(self, total: float) -> float:
        """A sum over the whole script as a figure of one step, or of the whole script."""
        return total / self.units

    @property
    def attention_ms(self) -> float:
        """In attention, of the whole script."""
        return sum(each.total_ms for each in self.sites)

    @property
    def set_up_ms(self) -> float:
        """Time of first calls above later ones; 0 of a step, since the first one is left out."""
        return 0.0 if self.has_steps else sum(each.set_up_ms for each in self.calls)

    @property
    def whole_ms(self) -> float:
        """The time that shares are of: a step or the script, and never less than its attention.

        The mean of attention can exceed the median of steps where steps differ.
        """
        return max(self.took_ms, self.each(self.attention_ms) + self.set_up_ms)

    @property
    def outside_ms(self) -> float:
        """Of a step or of the script, outside the attention that was seen and its set-up."""
        return self.whole_ms - self.each(self.attention_ms) - self.set_up_ms

    def share(self, total: float) -> float:
        """The part of a step or of the script that a sum over the whole script is."""
        return self.each(total) / self.whole_ms if self.whole_ms else 0.0

    @property
    def calls(self) -> tuple[Calls, ...]:
        """All calls, the longest time first."""
        every = (calls for site in self.sites for calls in site.calls)
        return tuple(sorted(every, key=lambda each: -each.total_ms))


def call_sites(found: Collected) -> CallSites:
    """The calls of a recorded script by line."""
    work = found.workload
    every = [*map(_recorded, work.calls), *map(_unrecorded, work.others)]
    header = work.header
    has_steps = header.steps > 1 and bool(header.step_ms)
    return CallSites(
        found=found,
        sites=_by_place(every),
        steps=header.steps if has_steps else 1,
        processes=max(1, header.processes),
        took_ms=median(header.step_ms) if has_steps else found.span_ms,
        span_ms=found.span_ms,
    )


def _by_place(every: Iterable[Calls]) -> tuple[CallSite, ...]:
    places: dict[str, list[Calls]] = {}
    for each in every:
        if each.count:
            places.setdefault(each.place, []).append(each)
    sites = [CallSite(place, _longest_first(own)) for place, own in places.items()]
    return tuple(sorted(sites, key=lambda site: -site.total_ms))


def _longest_first(own: Sequence[Calls]) -> tuple[Calls, ...]:
    return tuple(sorted(own, key=lambda each: -each.total_ms))


def _recorded(line: Recorded) -> Calls:
    return Calls(
        place=line.place,
        by=line.by,
        problem=str(line.problem),
        reason="",
        shapes=(),
        count=line.count,
        forward_ms=line.took_ms,
        backward_ms=line.backward_ms,
        unseen=line.problem.training and line.backward_ms is None,
        first_ms=line.first_ms,
    )


def _unrecorded(line: Unrecorded) -> Calls:
    return Calls(
        place=line.place,
        by=line.by,
        problem="",
        reason=line.unexpressed,
        shapes=line.shapes,
        count=line.count,
        forward_ms=line.took_ms - (line.backward_ms or 0.0),
        backward_ms=line.backward_ms,
        unseen=line.training and line.backward_ms is None,
        first_ms=line.first_ms,
    )
