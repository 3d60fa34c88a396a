"""Hangs, too much memory, floods and garbled pipes cost their own record only."""

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

LIMIT_S = 3.0
TOO_LONG = f"spent more than {LIMIT_S:g} s on this problem (--time-limit)"
TOO_MUCH = "one call may add 0.25 GiB (--memory-limit)"
SETTLED = {
    "loops": ("timed_out", TOO_LONG),
    "loops_and_ignores_signals": ("timed_out", TOO_LONG),
    "allocates_too_much": ("out_of_memory", TOO_MUCH),
    "allocates_in_small_steps": ("out_of_memory", TOO_MUCH),
    "closes_every_descriptor": ("crashed", "the process ended with status"),
    "writes_half_a_message": (
        "crashed",
        "the process ended with status 0 before its task was done",
    ),
    "writes_over_the_pipe": ("crashed", "wrote to the session's pipe"),
}
UNHARMED = ("honest_first", "floods_its_output", "honest_last")


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("limits.py", time_limit_s=LIMIT_S)


def test_every_implementation_of_the_file_is_tested(records: Records) -> None:
    assert sorted(records) == sorted([*SETTLED, *UNHARMED])


@pytest.mark.parametrize("name", SETTLED)
def test_the_implementation_gets_its_record_with_the_reason(records: Records, name: str) -> None:
    assert_settled(records[name], *SETTLED[name])
    assert records[name][-1].session == 0  # the check finds all of them


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_usual(records: Records, name: str) -> None:
    assert_measured(records[name])


def test_equal_neighbours_agree_to_the_bit(records: Records) -> None:
    assert_equal_neighbours(records)


def test_no_process_outlives_its_session(records: Records) -> None:
    assert records
    assert surviving_processes() == []
