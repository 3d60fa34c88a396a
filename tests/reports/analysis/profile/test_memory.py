from __future__ import annotations

from dataclasses import replace

from reports.analysis.profile.memory import (
    MOST_POINTS,
    HeldAtPeak,
    at_peak,
    reference,
    timeline,
    unseen,
)
from suites.records.operator_kinds import ENGINE_NAME
from suites.records.profile import Held, MemoryProfile, Node
from tests.reports.memory_by_hand import MEMORY, MIB, NODES, profile, profiled


def test_a_timeline_starts_with_what_is_kept_and_has_every_change() -> None:
    found = timeline(profile())
    assert found is not None
    assert found.times_ms == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 9.0)
    assert [held / MIB for held in found.bytes][:5] == [4, 12, 14, 16, 23]
    assert found.bytes[-1] == 16 * MIB
    assert (found.bytes[found.peak], found.peak_share) == (24 * MIB, 0.5)


def test_a_timeline_of_many_changes_keeps_its_peak_and_its_ends() -> None:
    ups = [1 if place % 2 else 3 for place in range(100_000)]
    changes = [up if place % 3 else -2 * up for place, up in enumerate(ups)]
    changes[77_777] = 10**9
    changes[77_778] = -(10**9)
    long = replace(
        MEMORY,
        kept_bytes=10**7,
        peak_bytes=10**7 + sum(changes[:77_778]),
        times_ns=tuple(range(len(changes))),
        changes=tuple(changes),
        peak_at=77_777,
    )
    found = timeline(profile(memory=long))
    assert found is not None
    assert len(found.bytes) <= 2 * MOST_POINTS + 2
    assert found.bytes[found.peak] == max(found.bytes) > 10**9
    assert (found.times_ms[0], found.bytes[0]) == (0.0, 10**7)
    assert found.bytes[-1] == 10**7 + sum(changes)
    assert list(found.times_ms) == sorted(found.times_ms)


def test_a_peak_before_the_first_change_is_at_the_beginning() -> None:
    found = timeline(profile(memory=MemoryProfile(kept_bytes=9, peak_bytes=9)))
    assert found is not None
    assert (found.times_ms, found.bytes, found.peak, found.peak_share) == ((0.0,), (9,), 0, 0.0)


def test_without_memory_there_is_no_timeline() -> None:
    assert timeline(profile(memory=None)) is None
    assert at_peak(profile(memory=None)) == []


def test_what_one_line_made_by_one_operator_is_one_row() -> None:
    rows = at_peak(profile())
    assert rows == [
        HeldAtPeak(8 * MIB, "impls/mine.py:5 mine", "bmm", "8x512x512 float32", 1),
        HeldAtPeak(7 * MIB, "impls/mine.py:7 mine", "mul in backward", "7x512x512 float32", 1),
        HeldAtPeak(4 * MIB, "impls/mine.py:5 mine", "clone", "2x512x512 float32", 2),
        HeldAtPeak(MIB - 8, "", "empty", "", 1),
        HeldAtPeak(8, "", "", "", 1),
    ]
    assert sum(row.bytes for row in rows) + MEMORY.kept_bytes == MEMORY.peak_bytes


def test_memory_of_autograd_itself_is_named_after_it() -> None:
    nodes = (*NODES, Node(parent=0, kind="operator", name=ENGINE_NAME, calls=1))
    memory = MemoryProfile(peak_bytes=4, held=(Held(bytes=4, node=len(NODES)),))
    assert [row.operator for row in at_peak(profile(nodes=nodes, memory=memory))] == [ENGINE_NAME]


def test_the_record_of_the_same_problem_is_the_reference() -> None:
    found = profiled(profile(), peak_bytes=25 * MIB)
    assert reference(found, found.profiles[0]) == 25 * MIB
    none = profiled(profile(), peak_bytes=None, unseen="memory of jax is not seen")
    assert reference(none, none.profiles[0]) is None
    assert unseen(none, none.profiles[0]) == "memory of jax is not seen"
