"""A failed capture ends its process, as torch before 2.12 needs: nothing else is lost by it."""

from __future__ import annotations

from random import Random

import pytest

from suites.engine.capturing import CAUSE
from suites.records.record import Record
from tests.engine.real_sessions import Records, records_of, surviving_processes

SHORT, LONGER = (f"b1 h2 t{length} d16 full fp32 cuda" for length in (32, 64))
"""In the first, one capture fails."""
SEED = 2
NAMES = ("honest_first", "waits_in_a_capture", "honest_last")


@pytest.fixture(scope="module")
def records() -> Records:
    device = {"leaks_failed_captures": True, "kernel_us": 1.0, "l2_bytes": 0}
    return records_of("captures.py", problems=(SHORT, LONGER), seed=SEED, device=device)


def timed(records: Records, problem: str) -> list[Record]:
    return [r for name in NAMES for r in records[name] if r.session and str(r.problem) == problem]


def test_the_capture_that_fails_comes_first() -> None:
    """Otherwise a process that goes on would not be found."""
    order = [SHORT, LONGER]
    Random(f"{SEED}|1").shuffle(order)
    assert order == [SHORT, LONGER]


def test_no_record_is_lost_and_no_implementation_has_a_fault(records: Records) -> None:
    assert sorted(records) == sorted(NAMES)
    found = [r for name in NAMES for r in records[name]]
    assert [r.reason for r in found if r.status != "ok"] == []
    assert len(found) == len({r.key for r in found}) == 2 * 2 * len(NAMES)


def test_its_problem_is_timed_by_events(records: Records) -> None:
    found = timed(records, SHORT)
    assert [r.clock for r in found] == ["events"] * len(NAMES)
    for record in found:
        noted = record.notes and record.notes[0].startswith(f"{CAUSE}: CUDA error: operation ")
        assert bool(noted) == (record.implementation == "waits_in_a_capture")


def test_later_problems_of_the_session_are_captured(records: Records) -> None:
    """In the same process this would fail: the failed capture leaves the allocator unusable."""
    assert [r.clock for r in timed(records, LONGER)] == ["graph"] * len(NAMES)


def test_no_process_outlives_its_session(records: Records) -> None:
    assert records
    assert surviving_processes() == []
