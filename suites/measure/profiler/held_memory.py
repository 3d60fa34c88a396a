"""Memory of a call over time, and what is held at its peak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final

from suites.measure.profiler.events import Event
from suites.records.profile import UNPLACED, Held, MemoryProfile

MOST_CHANGES: Final = 10_000
"""Changes that a profile keeps, about: some 200 kB of its text."""
MOST_HELD: Final = 1000
"""Allocations at the peak that are kept one by one: some 80 kB."""


@dataclass(frozen=True, slots=True)
class Change:
    """An allocation, or a release of what was allocated.

    operator  position of the operator that it happened in; None: in Python
    storage   number of the allocation, for its shape
    """

    at_ns: int
    bytes: int
    address: int
    operator: int | None
    storage: int | None = None


def changes(root: Event) -> list[Change]:
    """The changes of memory within a call, in their order."""
    found: list[Change] = []
    count = 0

    def enter(event: Event, operator: int | None) -> None:
        nonlocal count
        if event.kind == "memory":
            at_ns = event.start_ns - root.start_ns
            found.append(Change(at_ns, event.changed, event.address, operator, event.storage))
        if event.kind == "operator":
            operator, count = count, count + 1
        for each in event.within:
            enter(each, operator)

    enter(root, None)
    return sorted(found, key=lambda each: each.at_ns)


@dataclass(frozen=True, slots=True)
class Places:
    """The places of allocations.

    nodes   of each operator: its node and that of its line
    lines   nodes of the lines of allocations in Python, by their positions among the changes
    shapes  of allocations, likewise
    """

    nodes: Sequence[tuple[int, int]]
    lines: Mapping[int, int] = field(default_factory=dict)
    shapes: Mapping[int, str] = field(default_factory=dict)


def profiled(found: Sequence[Change], kept_bytes: int, places: Places) -> MemoryProfile:
    """The memory of a call.

    kept_bytes  held before it, above the inputs
    """
    sums = list(accumulate((each.bytes for each in found), initial=0))
    peak_at = max(range(len(sums)), key=sums.__getitem__)  # the first of equal ones
    held, released = _held(found[:peak_at], places)
    kept = max(0, kept_bytes - released)
    shown = _shown(sums, peak_at)
    return MemoryProfile(
        kept_bytes=kept,
        times_ns=tuple(found[place - 1].at_ns for place in shown[1:]),
        changes=tuple(sums[place] - sums[before] for before, place in pairwise(shown)),
        peak_bytes=kept + sum(each.bytes for each in held),
        peak_at=shown.index(peak_at) - 1,
        held=held,
    )


def _shown(sums: Sequence[int], peak_at: int) -> list[int]:
    """The sums that are kept: all, or the ends, the peak and the extremes of short intervals."""
    if len(sums) <= MOST_CHANGES:
        return list(range(len(sums)))
    step = -(-2 * len(sums) // MOST_CHANGES)
    kept = {0, peak_at, len(sums) - 1}
    for first in range(0, len(sums), step):
        interval = range(first, min(first + step, len(sums)))
        kept |= {min(interval, key=sums.__getitem__), max(interval, key=sums.__getitem__)}
    return sorted(kept)


def _held(before: Sequence[Change], places: Places) -> tuple[tuple[Held, ...], int]:
    """Memory held after these changes, the largest first, and bytes released from before."""
    alive: dict[int, tuple[int, Change]] = {}
    released = 0
    for place, each in enumerate(before):
        if each.bytes > 0:
            alive[each.address] = (place, each)
        elif alive.pop(each.address, None) is None:
            released -= each.bytes
    held = [_one(place, each, places) for place, each in alive.values()]
    return tuple(_merged(sorted(held, key=lambda each: -each.bytes))), released


def _merged(held: Sequence[Held]) -> Iterator[Held]:
    """The largest as they are; of all others the sum for each operator and line."""
    yield from held[:MOST_HELD]
    rest: Counter[tuple[int, int]] = Counter()
    for each in held[MOST_HELD:]:
        rest[each.node, each.line] += each.bytes
    for (node, line), size in rest.most_common():
        yield Held(bytes=size, node=node, line=line)


def _one(place: int, change: Change, places: Places) -> Held:
    node, line = UNPLACED, places.lines.get(place, UNPLACED)
    if change.operator is not None:
        node, line = places.nodes[change.operator]
    return Held(bytes=change.bytes, node=node, line=line, shape=places.shapes.get(place, ""))
