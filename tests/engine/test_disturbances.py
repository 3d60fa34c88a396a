"""Changes of the process state are faults of the implementation that made them."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.process_state.state import SHARED
from tests.engine.real_sessions import (
    Records,
    assert_equal_neighbours,
    assert_measured,
    assert_settled,
    records_of,
    surviving_processes,
)

CHANGES = {
    "changes_the_threads": "changed torch's threads from 1 to 2",
    "changes_the_threads_in_a_sample": "changed torch's threads from 1 to 2",
    "changes_the_default_dtype": "changed the default dtype from torch.float32 to torch.float64",
    "seeds": "seeded torch's random numbers",
    "lowers_the_precision": "changed float32 precision from ieee/ieee/ieee to ieee/tf32/bf16",
    "makes_numpy_raise": "changed numpy's error handling (divide, over, under and 1 more)",
    "enters_a_mode": "changed the numbers of function and dispatch modes from (0, 0) to (",
    "replaces_the_clocks": "replaced time.monotonic, time.perf_counter, time.perf_counter_ns",
    "replaces_functions_of_torch": (
        "replaced torch.softmax, torch.Tensor.__matmul__, "
        "torch.nn.functional.scaled_dot_product_attention"
    ),
    "replaces_a_function_in_a_sample": "replaced torch.softmax",
    "handles_signals": "changed signal handlers (SIGTERM)",
    "changes_the_environment": "changed environment variables (OMP_NUM_THREADS)",
    "sets_an_alarm": "left a timer running that sends a signal",
    "changes_the_folder": f"changed the working directory from {Path.cwd()} to /",
    "empties_the_path": "changed sys.path (",
    "replaces_stdout": "changed output streams (sys.stdout)",
    "traces": "changed trace and profile hooks (sys.settrace)",
    "closes_the_output_descriptors": "changed open descriptors (1, 2)",
    "leaves_a_thread_running": "left 1 thread running",
    "leaves_orphans": "left ",
    "returns_twice": "left 1 process behind",
    "leaves_a_program_running": "left 1 process behind",
}
UNHARMED = (
    "honest_first",
    "works_in_a_pool",
    "draws_random_numbers",
    "opens_descriptors_and_variables",
    "honest_last",
)


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("disturbances.py")


def test_every_implementation_of_the_file_is_tested(records: Records) -> None:
    assert sorted(records) == sorted([*CHANGES, *UNHARMED])


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_process_state_is_a_fault_with_its_name(
    records: Records, name: str
) -> None:
    assert_settled(records[name], "failed", CHANGES[name])
    last = records[name][-1]
    assert last.reason.startswith(CHANGES[name])
    assert last.reason.endswith(SHARED)
    assert (last.session == 1) == name.endswith("in_a_sample")


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_usual(records: Records, name: str) -> None:
    assert_measured(records[name])


def test_equal_neighbours_agree_to_the_bit(records: Records) -> None:
    assert_equal_neighbours(records)


def test_no_process_outlives_its_session(records: Records) -> None:
    """This includes the processes that implementations have started."""
    assert records
    assert surviving_processes() == []
