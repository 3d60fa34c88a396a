"""An assert that fails on the device costs its implementation only, and ends the process."""

from __future__ import annotations

import pytest

from tests.engine.real_sessions import (
    Records,
    assert_measured,
    records_of,
    surviving_processes,
)

PROBLEM = "b1 h4 t64 d16 full fp32 train cuda"
ASSERTED = "the device failed: CUDA error: device-side assert triggered"
AT_FAULT = {
    "asserts": 0,
    "asserts_in_backward": 0,
    "asserts_in_a_sample": 1,
    "catches_its_assert": 0,
}
"""By implementation: the session in which it fails; 0 is the check."""
UNHARMED = ("honest_first", "honest_last")


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("device_asserts.py", problems=(PROBLEM,))


def test_every_implementation_of_the_file_is_tested(records: Records) -> None:
    assert sorted(records) == sorted([*AT_FAULT, *UNHARMED])


@pytest.mark.parametrize("name", AT_FAULT)
def test_an_assert_on_the_device_is_the_fault_of_its_implementation(
    records: Records, name: str
) -> None:
    last = records[name][-1]
    assert (last.status, last.cause) == ("failed", "device_error"), last.reason
    assert last.session == AT_FAULT[name]
    assert last.reason.startswith(ASSERTED)
    assert "CUDA_LAUNCH_BLOCKING=1" in last.reason
    assert not any(record.times_ms for record in records[name])


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_in_a_new_process(records: Records, name: str) -> None:
    assert_measured(records[name])


def test_no_process_outlives_its_session(records: Records) -> None:
    assert records
    assert surviving_processes() == []
