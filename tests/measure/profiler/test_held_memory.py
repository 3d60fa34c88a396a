"""Memory over a call, from changes made up by hand."""

from __future__ import annotations

from suites.measure.profiler.events import Event
from suites.measure.profiler.held_memory import (
    MOST_CHANGES,
    MOST_HELD,
    Change,
    Places,
    changes,
    profiled,
)
from suites.records.profile import Held, MemoryProfile

NOWHERE = Places(())


def change(at: int, size: int, address: int, operator: int | None = None) -> Change:
    return Change(at_ns=at, bytes=size, address=address, operator=operator)


def assert_sums(found: MemoryProfile) -> None:
    """The rows of a table of the peak are the peak, and so is the timeline."""
    assert found.kept_bytes + sum(each.bytes for each in found.held) == found.peak_bytes
    level, levels = found.first_bytes, [found.first_bytes]
    for each in found.changes:
        level += each
        levels.append(level)
    assert max(levels) == levels[found.peak_at + 1] == found.peak_bytes


def test_the_first_of_equal_peaks_is_the_peak() -> None:
    found = profiled(
        [change(1, 8, 100), change(2, -8, 100), change(3, 8, 200)], kept_bytes=3, places=NOWHERE
    )
    assert (found.peak_bytes, found.peak_at, found.kept_bytes) == (11, 0, 3)
    assert [each.bytes for each in found.held] == [8]
    assert_sums(found)


def test_an_address_that_is_used_again_is_another_allocation() -> None:
    places = Places([(5, 4), (7, 6)], shapes={0: "first", 2: "second"})
    found = profiled(
        [change(1, 8, 100, 0), change(2, -8, 100, 0), change(3, 9, 100, 1), change(4, 1, 300, 1)],
        kept_bytes=0,
        places=places,
    )
    assert found.held == (
        Held(bytes=9, node=7, line=6, shape="second"),
        Held(bytes=1, node=7, line=6),
    )
    assert_sums(found)


def test_memory_from_before_the_call_that_it_releases_is_not_held_at_the_peak() -> None:
    found = profiled(
        [change(1, -8, 900), change(2, 8, 100), change(3, 2, 200)], kept_bytes=10, places=NOWHERE
    )
    assert (found.first_bytes, found.kept_bytes, found.peak_bytes) == (10, 2, 12)
    assert_sums(found)


def test_memory_from_before_the_call_counts_until_it_is_released() -> None:
    found = profiled(
        [change(1, 8, 100), change(2, -8, 900), change(3, 2, 200)], kept_bytes=10, places=NOWHERE
    )
    assert (found.kept_bytes, found.peak_bytes, found.peak_at) == (10, 18, 0)
    assert_sums(found)


def test_a_call_that_releases_more_than_was_known_held_it_before() -> None:
    found = profiled([change(1, -8, 900), change(2, 9, 100)], kept_bytes=3, places=NOWHERE)
    assert (found.first_bytes, found.kept_bytes, found.peak_bytes) == (8, 0, 9)
    assert_sums(found)


def test_a_call_that_only_releases_has_its_peak_before_it() -> None:
    found = profiled([change(1, -8, 900)], kept_bytes=10, places=NOWHERE)
    assert (found.peak_bytes, found.peak_at, found.held, found.kept_bytes) == (10, -1, (), 10)
    assert_sums(found)


def test_a_call_without_memory_has_none() -> None:
    assert profiled([], kept_bytes=0, places=NOWHERE) == MemoryProfile()


def test_memory_that_python_allocated_has_the_line_that_was_executed() -> None:
    places = Places((), lines={0: 3})
    found = profiled([change(1, 8, 100), change(2, 4, 200)], kept_bytes=0, places=places)
    assert found.held == (Held(bytes=8, line=3), Held(bytes=4))


def test_of_very_many_changes_the_peak_and_the_ends_are_kept() -> None:
    many = [change(at, 5 if at % 2 else -5, 100) for at in range(1, 90_001)]
    many[70_000] = change(70_001, 1_000_000, 999)
    many[70_001] = change(70_002, -1_000_000, 999)
    found = profiled(many, kept_bytes=7, places=NOWHERE)
    assert MOST_CHANGES / 2 < len(found.changes) < MOST_CHANGES * 1.1
    assert found.peak_bytes == 1_000_007
    assert found.times_ns[-1] == 90_000
    assert list(found.times_ns) == sorted(found.times_ns)
    assert found.first_bytes + sum(found.changes) == 7 + sum(each.bytes for each in many)
    assert_sums(found)


def test_of_very_many_allocations_small_ones_are_one_for_each_line() -> None:
    places = Places([(5, 4), (7, 6)])
    many = [change(at, 10_000 - at, at, at % 2) for at in range(1, 3001)]
    found = profiled(many, kept_bytes=0, places=places)
    assert len(found.held) == MOST_HELD + 2
    assert {(each.node, each.line) for each in found.held[-2:]} == {(5, 4), (7, 6)}
    assert found.peak_bytes == sum(each.bytes for each in many)
    assert_sums(found)


def test_changes_know_the_operator_that_they_happened_in() -> None:
    inner = Event("operator", "aten::empty", 12, 14, within=[memory(13, 8, 100)])
    outer = Event("operator", "aten::mul", 11, 20, within=[inner, memory(16, 4, 200)])
    root = Event(
        "annotation", "call", 10, 30, within=[memory(10, 1, 1), outer, memory(25, -8, 100)]
    )
    assert changes(root) == [
        change(0, 1, 1),
        change(3, 8, 100, 1),
        change(6, 4, 200, 0),
        change(15, -8, 100),
    ]


def memory(at: int, size: int, address: int) -> Event:
    return Event("memory", "", at, at, changed=size, address=address)
