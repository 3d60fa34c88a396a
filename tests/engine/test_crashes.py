"""Implementations that raise, exit or crash cost their own record only."""

from __future__ import annotations

import pytest

from tests.engine.real_sessions import (
    Records,
    assert_equal_neighbours,
    assert_measured,
    assert_settled,
    records_of,
    surviving_processes,
)

ENDED = "the process ended with status"
SETTLED = {
    "raises": ("failed", "RuntimeError: no such luck"),
    "raises_system_exit": ("failed", "SystemExit: 0"),
    "raises_keyboard_interrupt": ("failed", "KeyboardInterrupt"),
    "raises_a_base_exception": ("failed", "_Odd: base"),
    "raises_without_a_message": ("failed", "_MuteError: its message cannot be read: RuntimeError"),
    "raises_a_hundred_megabytes": ("failed", "_LoudError: red red red"),
    "raises_in_a_sample": ("failed", "RuntimeError: only in the rounds"),
    "raises_and_changes_the_threads": (
        "failed",
        "RuntimeError: no such luck; it also changed torch's threads from 1 to 3",
    ),
    "recurses": ("failed", "RecursionError: maximum recursion depth exceeded"),
    "exits_quietly": ("crashed", f"{ENDED} 0 before its task was done"),
    "exits_in_a_sample": ("crashed", f"{ENDED} 0 before its task was done"),
    "exits_in_another_turn": ("crashed", f"{ENDED} 3 before its task was done"),
    "segfaults": ("crashed", "the process was killed by SIGSEGV"),
    "aborts": ("crashed", "the process was killed by SIGABRT"),
}
UNHARMED = ("honest_first", "honest_last")


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("crashes.py")


def test_every_implementation_of_the_file_is_tested(records: Records) -> None:
    assert sorted(records) == sorted([*SETTLED, *UNHARMED])


@pytest.mark.parametrize("name", SETTLED)
def test_a_crash_becomes_its_record_with_the_reason(records: Records, name: str) -> None:
    assert_settled(records[name], *SETTLED[name])


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_usual(records: Records, name: str) -> None:
    assert_measured(records[name])


def test_equal_neighbours_of_crashes_agree_to_the_bit(records: Records) -> None:
    assert_equal_neighbours(records)


def test_no_process_outlives_its_session(records: Records) -> None:
    assert records
    assert surviving_processes() == []
