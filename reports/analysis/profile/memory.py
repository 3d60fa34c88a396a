"""Memory of a profiled call: bytes held over its time, and what is held at the peak, merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.tree import Tree
from suites.records.operator_kinds import ENGINE_NAME
from suites.records.profile import ROOT, Node, Profile
from suites.records.record import Record

MOST_POINTS: Final = 400
"""Intervals of a timeline; each keeps its smallest and its largest value, so no peak is lost."""
_ALLOCATE_ONLY: Final = ("empty", "resize_", "set_", "new_empty", "detach")
"""Starts of the names of operators that compute nothing: the one that calls them is shown."""
_LIBRARY: Final = "aten::"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bytes that torch's allocator holds for a call, in steps.

    times_ms  of each step, from the beginning of the call to its end
    bytes     held from then on
    peak      index of the step that reaches the peak
    took_ms   of the whole call
    """

    times_ms: tuple[float, ...]
    bytes: tuple[int, ...]
    peak: int
    took_ms: float

    @property
    def peak_share(self) -> float:
        """The part of the call's time after which the peak is reached."""
        return self.times_ms[self.peak] / self.took_ms if self.took_ms else 0.0


@dataclass(frozen=True, slots=True)
class HeldAtPeak:
    """Memory that one source line holds at the peak by one operator, as tensors of one shape.

    line      as `file:line function`; empty where it is not known
    operator  that the line called, without its library's name; empty where none allocated. One
              of the backward pass, which has the line of its forward operator, is marked
    shape     of each, as "8x1024x1024 float32"; empty where it is not known
    count     how many
    """

    bytes: int
    line: str
    operator: str
    shape: str
    count: int


def timeline(profile: Profile) -> Timeline | None:
    """The bytes over the time of the call; None where torch's allocator does not see them."""
    memory = profile.memory
    if memory is None or not profile.nodes:
        return None
    took_ms = profile.nodes[ROOT].total_ns / 1e6
    times = [0.0, *(min(at / 1e6, took_ms) for at in memory.times_ns)]
    held = list(accumulate(memory.changes, initial=memory.first_bytes))
    kept = sorted({*_kept(held), memory.peak_at + 1})
    return Timeline(
        times_ms=tuple(times[place] for place in kept),
        bytes=tuple(held[place] for place in kept),
        peak=kept.index(memory.peak_at + 1),
        took_ms=took_ms,
    )


def _kept(held: Sequence[int]) -> Iterator[int]:
    """The places that a chart shows: all, or the smallest and the largest of each interval."""
    step = -(-len(held) // MOST_POINTS)
    for first in range(0, len(held), step):
        places = range(first, min(first + step, len(held)))
        yield min(places, key=held.__getitem__)
        yield max(places, key=held.__getitem__)
    yield len(held) - 1


def at_peak(profile: Profile) -> list[HeldAtPeak]:
    """Memory held at the peak, the largest first; without memory kept since before the call."""
    if profile.memory is None:
        return []
    tree = Tree(profile)
    found: dict[tuple[str, str, str], list[int]] = {}
    for each in profile.memory.held:
        line = profile.nodes[each.line].name if each.line > ROOT else ""
        key = (line, _operator(tree.nodes, each.node), each.shape)
        found.setdefault(key, []).append(each.bytes)
    rows = [HeldAtPeak(sum(sizes), *key, len(sizes)) for key, sizes in found.items()]
    return sorted(rows, key=lambda row: -row.bytes)


def _operator(nodes: Sequence[Node], place: int) -> str:
    """The operator that needed the memory: not one that allocates only, where another calls it."""
    names = list(_above(nodes, place))
    if not names:
        return ""
    name = next((each for each in names if not each.startswith(_ALLOCATE_ONLY)), names[0])
    return f"{name} in backward" if ENGINE_NAME in names and name != ENGINE_NAME else name


def _above(nodes: Sequence[Node], place: int) -> Iterator[str]:
    """The names of an operator and of those that called it on the same line."""
    while place > ROOT and nodes[place].kind == "operator":
        yield nodes[place].name.removeprefix(_LIBRARY)
        place = nodes[place].parent


def reference(found: ProfiledRun, profile: Profile) -> int | None:
    """The peak memory in the run's record of the same problem; None where it has none."""
    peaks = (record.peak_bytes for record in _records(found, profile))
    return next((peak for peak in peaks if peak is not None), None)


def resident(found: ProfiledRun, profile: Profile) -> int | None:
    """Growth of resident memory in a first call; from the run's record where that alone has it."""
    own = profile.memory.resident_bytes if profile.memory else None
    found_in = (record.resident_bytes for record in _records(found, profile))
    return own if own is not None else next((each for each in found_in if each is not None), None)


def page_faults(found: ProfiledRun, profile: Profile) -> float | None:
    """Minor page faults per call: of the run's timed calls; without these, of plain calls beside.

    They depend on what the allocator holds, which differs between processes: the run has several.
    """
    row = found.measurement(profile)
    if row is not None and row.page_faults is not None:
        return row.page_faults
    return profile.memory.page_faults if profile.memory else None


def unseen(found: ProfiledRun, profile: Profile) -> str:
    """Why torch's allocator does not see the memory; empty where it does."""
    return next((record.unseen for record in _records(found, profile) if record.unseen), "")


def _records(found: ProfiledRun, profile: Profile) -> Iterator[Record]:
    pair = (profile.problem, profile.implementation)
    return (record for record in found.analysis.records if record.pair == pair)
