"""Invalid outputs, cached outputs and modified inputs are found in real sessions."""

from __future__ import annotations

import pytest

from suites.agreement.probes.read_only_inputs import WROTE
from suites.process_state.state import SHARED
from tests.engine.real_sessions import (
    Records,
    assert_equal_neighbours,
    assert_measured,
    assert_settled,
    records_of,
)

TIMED_LATE = "agrees in the check, but not while timed: "
SETTLED = {
    "returns_nothing": ("failed", "TypeError: returned NoneType, expected one tensor"),
    "returns_a_tuple": ("failed", "TypeError: returned tuple, expected one tensor"),
    "returns_its_input": ("wrong", "query "),
    "returns_a_lazy_tensor": (
        "failed",
        "TypeError: returned _Later, which may compute lazily; expected a plain tensor",
    ),
    "returns_before_it_has_finished": ("wrong", ""),  # the reason depends on the missing part
    "returns_a_meta_tensor": ("wrong", "out is on meta, expected cpu"),
    "returns_a_sparse_tensor": ("wrong", "out is torch.sparse_coo, expected a dense tensor"),
    "returns_a_generator": ("failed", "TypeError: returned generator, expected one tensor"),
    "returns_an_async_generator": (
        "failed",
        "TypeError: returned async_generator, expected one tensor",
    ),
    "shrinks_its_input": ("wrong", "its input q was freed or resized"),
    "frees_its_input": ("wrong", "its input q was freed or resized"),
    "frees_its_input_in_a_sample": ("failed", "replaced the memory of its inputs"),
    "doubles_its_input_and_restores_it": ("wrong", WROTE),
    "writes_to_its_input_by_numpy_and_restores_it": ("wrong", WROTE),
    "writes_to_its_input_in_a_sample": ("failed", f"wrote to its inputs; {SHARED}"),
    "asks_its_input_for_gradients_in_a_sample": (
        "failed",
        f"changed requires_grad of its inputs; {SHARED}",
    ),
    "caches_by_shape": ("wrong", TIMED_LATE + "out is wrong"),
    "caches_by_address": ("wrong", TIMED_LATE + "out is wrong"),
    "caches_by_version": ("wrong", TIMED_LATE + "out is wrong"),
    "caches_weights": ("wrong", TIMED_LATE + "out is wrong"),
    "caches_keys": ("wrong", TIMED_LATE + "out is wrong"),
    "is_one_call_late": ("wrong", TIMED_LATE + "out is wrong"),
    "skips_half_the_keys": ("wrong", TIMED_LATE + "out is wrong"),
    "computes_one_head": ("wrong", TIMED_LATE + "out is wrong"),
    "narrows_its_output": ("wrong", TIMED_LATE + "out is torch.bfloat16, expected torch.float32"),
}
UNHARMED = (
    "honest_first",
    "returns_a_transposed_view",
    "returns_a_subclass",
    "sleeps_in_a_sample",
    "honest_last",
)


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("outputs.py")


def test_every_implementation_of_the_file_is_tested(records: Records) -> None:
    assert sorted(records) == sorted([*SETTLED, *UNHARMED])


@pytest.mark.parametrize("name", SETTLED)
def test_the_implementation_gets_its_record_with_the_reason(records: Records, name: str) -> None:
    assert_settled(records[name], *SETTLED[name])


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_usual(records: Records, name: str) -> None:
    assert_measured(records[name])


def test_equal_neighbours_agree_to_the_bit(records: Records) -> None:
    assert_equal_neighbours(records)


def test_an_implementation_that_sleeps_in_samples_is_slow(records: Records) -> None:
    assert min(records["sleeps_in_a_sample"][1].times_ms) >= 2
