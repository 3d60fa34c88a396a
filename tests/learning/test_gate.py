"""The gate on training: wrong gradients and masks fail it, honest implementations pass."""

from __future__ import annotations

import math

import pytest

from suites.learning.gate import FACTOR, HONEST, Gate, difference
from tests.learning import impostors
from tests.learning.trained import Function, gate_of, losses, needs_digits

JUDGED = ("digits", "sentiment")


@pytest.fixture(params=JUDGED)
def task(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    needs_digits(name)
    return name


@pytest.mark.parametrize(
    "wrong",
    [
        impostors.dq_too_large,
        impostors.dv_too_large,
        impostors.dk_negated,
        impostors.detached,
        impostors.in_bfloat16,
    ],
)
def test_wrong_gradients_and_lower_precision_fail_the_gate(task: str, wrong: Function) -> None:
    assert gate_of(task).passes(losses(task, wrong)) is False


def test_a_mask_that_drops_padding_fails_the_gate() -> None:
    gate = gate_of("sentiment")
    found = losses("sentiment", impostors.drops_padding)
    assert gate.passes(found) is False
    assert abs(found[0] - gate.honest["naive"][0]) > (gate.allowed or 0)  # before any gradient


@pytest.mark.parametrize(
    ("task", "name"),
    [("digits", "sdpa"), ("digits", "chunked"), ("sentiment", "sdpa"), ("sentiment", "chunked")],
)
def test_honest_implementations_pass_the_gate(task: str, name: str) -> None:
    needs_digits(task)
    assert gate_of(task).passes(losses(task, name)) is True


def test_the_honest_implementations_differ_so_that_there_is_a_threshold(task: str) -> None:
    allowed = gate_of(task).allowed
    assert allowed is not None
    assert allowed > 0


def test_two_trainings_with_one_implementation_are_equal_bit_for_bit(task: str) -> None:
    assert losses(task, impostors.right) == losses(task, impostors.right)


def test_honest_bfloat16_passes_the_gate_of_bfloat16(task: str) -> None:
    """For a problem in bfloat16, the threshold comes from bfloat16 runs as well."""
    gate = gate_of(task, "bf16")
    assert (gate.allowed or 0) > (gate_of(task).allowed or 0)
    assert gate.passes(losses(task, impostors.right, "bf16")) is True


def test_the_threshold_is_the_factor_times_the_largest_difference_of_honest_losses() -> None:
    gate = Gate.of({"naive": [1.0, 2.0], "sdpa_math": [1.25, 2.0], "sdpa_flash": [1.0, 2.5]})
    assert gate.allowed == FACTOR * 0.5
    assert gate.passes([1.0, 7.0]) is True
    assert gate.passes([1.0, 7.5]) is False


def test_only_the_first_ten_losses_are_compared() -> None:
    same = [0.0] * 10
    assert difference([*same, 1.0], [*same, 2.0]) == 0.0
    assert difference([*same[1:], 1.0], same) == 1.0


def test_losses_that_are_not_finite_fail() -> None:
    gate = Gate.of({name: [1.0] for name in HONEST})
    assert gate.passes([math.nan]) is False
    assert gate.passes([math.inf]) is False


def test_without_two_honest_implementations_there_is_no_verdict() -> None:
    gate = Gate.of({"naive": [1.0], "chunked": [2.0]})
    assert gate.allowed is None
    assert gate.passes([2.0]) is None
