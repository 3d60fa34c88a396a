"""Memory of a call over time, and what is held at its peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suites.measure.profiler.events import Event
from suites.records.profile import UNPLACED, Held, MemoryProfile


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


def profiled(
    found: Sequence[Change],
    kept_bytes: int,
    nodes: Sequence[tuple[int, int]],
    shapes: Mapping[int, str],
) -> MemoryProfile:
    """The memory of a call.

    kept_bytes  held before it, above the inputs
    nodes       of each operator: its node and that of its line
    shapes      of allocations, by their position among the allocations
    """
    running = peak = 0
    peak_at = -1
    for place, each in enumerate(found):
        running += each.bytes
        if running > peak:
            peak, peak_at = running, place
    return MemoryProfile(
        kept_bytes=kept_bytes,
        times_ns=tuple(each.at_ns for each in found),
        changes=tuple(each.bytes for each in found),
        peak_bytes=kept_bytes + peak,
        peak_at=peak_at,
        held=_held(found[: peak_at + 1], nodes, shapes),
    )


def _held(
    before: Sequence[Change], nodes: Sequence[tuple[int, int]], shapes: Mapping[int, str]
) -> tuple[Held, ...]:
    """What is held after these changes, the largest first."""
    alive: dict[int, tuple[int, Change]] = {}
    for place, each in enumerate(before):
        if each.bytes > 0:
            alive[each.address] = (place, each)
        else:
            alive.pop(each.address, None)
    found = []
    for place, each in alive.values():
        node, line = (UNPLACED, UNPLACED) if each.operator is None else nodes[each.operator]
        found.append(Held(bytes=each.bytes, node=node, line=line, shape=shapes.get(place, "")))
    return tuple(sorted(found, key=lambda each: -each.bytes))
