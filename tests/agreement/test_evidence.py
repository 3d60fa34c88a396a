"""The figures in a record are those of errors that are made here on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import impls
from impls.interface import Problem
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import Expected
from suites.agreement.bounds.naive_error import add_naive_error
from suites.agreement.checker import Checker
from suites.agreement.gate import judge
from suites.agreement.hard_inputs import OUTPUTS, hard_inputs
from suites.agreement.probes.scale_and_gain import gains, largest_fault, scale_slope
from suites.measure import timing
from suites.measure.inputs import Inputs, make_inputs
from suites.records.record import TensorError
from tests.agreement.attention_call import AttentionCall, attend, implementation_of
from tests.agreement.honest import keys_shuffled_anew_each_time
from tests.agreement.without_hard import without_hard_inputs


@pytest.fixture(scope="module")
def right() -> Expected:
    problem = Problem.parse("b2 h2 t17 d8 causal train")
    return derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)


def with_naive(problem: Problem, inputs: Inputs, rows: Tensor | None) -> Expected:
    expected = derived_bounds(problem, inputs, rows=rows)
    add_naive_error(problem, inputs, expected)
    return expected


def errors_of_tensors(
    right: Expected, wrong: Callable[[Tensor, Tensor], Tensor]
) -> tuple[TensorError, ...]:
    """The errors of tensors made from the reference values and bounds."""
    made = [wrong(value, right.bounds[name]) for name, value in right.values.items()]
    return judge(made, right)[0]


def test_shares_are_those_of_the_bound(right: Expected) -> None:
    for error in errors_of_tensors(right, lambda value, bound: value + 0.25 * bound):
        assert error.rms_share == pytest.approx(0.25, rel=1e-6)
        assert error.worst_share == pytest.approx(0.25, rel=1e-6)


def test_one_number_makes_the_worst_share_and_the_largest_error(right: Expected) -> None:
    def one_off(value: Tensor, bound: Tensor) -> Tensor:
        made = value.clone()
        made[1, 0, 4, 2] += 5 * bound[1, 0, 4, 2]
        return made

    for error in errors_of_tensors(right, one_off):
        bound = right.bounds[error.tensor]
        assert error.worst_share == pytest.approx(5, rel=1e-6)
        assert error.max_error == pytest.approx(5 * float(bound[1, 0, 4, 2]), rel=1e-6)
        wanted = 5 * bound[1, 0, 4, 2] / bound.norm()
        assert error.rms_share == pytest.approx(float(wanted), rel=1e-6)


def test_a_factor_is_the_relative_error_of_all_and_of_every_row(right: Expected) -> None:
    for error in errors_of_tensors(right, lambda value, bound: 1.5 * value):
        assert error.relative_rms == pytest.approx(0.5)
        assert error.worst_row == pytest.approx(0.5)
        assert error.cosine == pytest.approx(1)


def test_a_row_that_is_off_is_the_worst_row(right: Expected) -> None:
    def one_row_turned(value: Tensor, bound: Tensor) -> Tensor:
        made = value.clone()
        made[0, 1, 7] *= -1
        return made

    for error in errors_of_tensors(right, one_row_turned):
        value = right.values[error.tensor]
        part = float(value[0, 1, 7].square().sum() / value.square().sum())
        assert error.worst_row == pytest.approx(2)
        assert error.relative_rms == pytest.approx(2 * part**0.5)
        assert error.cosine == pytest.approx(1 - 2 * part)


def test_zeros_have_a_relative_error_of_one_and_no_angle(right: Expected) -> None:
    for error in errors_of_tensors(right, lambda value, bound: 0 * value):
        assert error.relative_rms == pytest.approx(1)
        assert error.cosine is None


def test_rows_whose_reference_is_zero_are_no_worst_row() -> None:
    problem = Problem.parse("b1 h2 t9/5 d8 causal")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    (error,), fault = judge([1.25 * found.values["out"]], found)
    assert error.worst_row == pytest.approx(0.25)
    assert "out is wrong" in fault


@pytest.mark.parametrize("part", [2e-3, -4e-4, 1e-4, 0.0])
def test_the_slope_is_the_part_of_the_error_along_the_scale(part: float) -> None:
    problem = Problem.parse("b13 h4 t65 d32 causal bf16")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    assert found.direction is not None
    assert found.direction.numel() >= OUTPUTS
    out = found.values["out"] + part * found.direction
    slope = scale_slope(out, found)
    assert slope is not None
    assert slope.value == pytest.approx(part, rel=1e-6, abs=1e-12)
    assert slope.standard_error <= abs(part) / 10
    assert bool(slope.fault) == (abs(part) > 3e-4)


def test_errors_that_are_correlated_along_rows_raise_the_tolerance_of_a_slope() -> None:
    problem = Problem.parse("b13 h4 t65 d32 causal bf16")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    assert found.direction is not None
    sides = torch.randn(found.direction.shape[:-1], generator=torch.Generator().manual_seed(1))
    out = found.values["out"] + 0.01 * sides[..., None] * found.direction
    slope = scale_slope(out, found)
    assert slope is not None
    assert slope.standard_error > 1e-4
    assert slope.fault == ""


def test_the_direction_of_the_slope_is_the_derivative_by_the_scale() -> None:
    problem = Problem.parse("b2 h4/2 t33 d16 window:9:5 fp16")
    inputs = make_inputs(problem, purpose="test")
    step = 1e-5
    ends = [
        derived_bounds(replace(problem, scale=problem.softmax_scale * factor), inputs, rows=None)
        for factor in (1 - step, 1 + step)
    ]
    derivative = (ends[1].values["out"] - ends[0].values["out"]) / (2 * step)
    found = derived_bounds(problem, inputs, rows=None)
    torch.testing.assert_close(found.direction, derivative, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("part", [5e-3, -4e-3, 1e-3, 0.0])
def test_a_gain_is_the_part_of_the_error_along_the_tensor_itself(part: float) -> None:
    problem = Problem.parse("b13 h4 t65 d32 causal bf16 train")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    values = list(found.values.values())
    made = [(1 + part) * value for value in values]
    wide = [gain.value for gain in gains([each.bfloat16() for each in made], found)]
    assert wide == pytest.approx([part] * 4, abs=5e-4)  # these are rounded
    assert bool(largest_fault(*gains([each.bfloat16() for each in made], found))) == (
        part**2 > 1e-5
    )


def test_the_fault_that_explains_most_of_the_error_is_reported() -> None:
    problem = Problem.parse("b13 h4 t65 d32 causal bf16")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    assert found.direction is not None
    out, away = found.values["out"], found.direction
    for made, words in (
        (1.01 * out, "the whole tensor is"),
        (out + 0.1 * away, "the output for a scale"),
    ):
        drifts = scale_slope(made, found), *gains([made.bfloat16()], found)
        assert words in largest_fault(*drifts)


def test_few_outputs_and_full_precision_have_no_slope() -> None:
    for text in ("h4 t65 d32 bf16", "b13 h4 t65 d32"):
        problem = Problem.parse(text)
        found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
        assert scale_slope(found.values["out"], found) is None
    for added in ("alibi", "softcap9.0", "sink"):
        problem = Problem.parse(
            f"b13 h4 t65 d32 bf16 {added}"
        )  # their own roundings point along the scale
        assert (
            derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None).direction
            is None
        )


@pytest.mark.parametrize("text", ["h2 t40 d32 window:1 fp16", "h2 t40 d32 window:1 bf16 train"])
def test_there_is_no_slope_where_each_query_has_one_key(text: str) -> None:
    found = Checker(Problem.parse(text), seed=1).check(implementation_of(attend))
    assert found.fault == ""
    assert found.agreement.slope is None


@pytest.mark.parametrize("training", [False, True])
def test_sampled_rows_have_the_naive_error_of_all_rows(*, training: bool) -> None:
    problem = replace(Problem.parse("b2 h4/2 t300 d32 causal bf16"), training=training)
    inputs = make_inputs(problem, purpose="test")
    if inputs.grad is not None:
        inputs.grad[:, :, 1::2] = 0
    rows = torch.arange(0, 300, 2)
    some, every = (with_naive(problem, inputs, which).naive for which in (rows, None))
    assert some.keys() == every.keys()
    for name in ("dk", "dv") if training else ():
        assert some[name].rms == pytest.approx(every[name].rms, rel=0.05)
    assert some["out"].rms == pytest.approx(every["out"].rms, rel=0.05)


def test_half_precision_has_its_slope_from_a_hard_input_where_outputs_are_few() -> None:
    found = Checker(Problem.parse("h2 t33 d64 causal bf16"), seed=3).check(honest)
    assert found.fault == ""
    assert found.agreement.slope is not None
    assert 0 < abs(found.agreement.slope) < 3e-4


def test_repeatable_results_are_distinguished_from_others() -> None:
    checker = Checker(Problem.parse("h2 t40 d16"), seed=3)
    assert checker.check(honest).agreement.repeatable is True
    shuffled = checker.check(implementation_of(keys_shuffled_anew_each_time))
    assert shuffled.fault == ""
    assert shuffled.agreement.repeatable is False


def test_hard_inputs_that_agreed_are_counted() -> None:
    def wrong_for_one_query(call: AttentionCall) -> Tensor:
        return attend(call) * (1.0 if call.q.shape[2] != 64 else 2.0)

    problem = Problem.parse("h2 t40 d16 causal")
    checker = Checker(problem, seed=3)
    labels = [each.label for each in hard_inputs(problem, honest)]
    assert checker.check(honest).agreement.hard_inputs == len(labels)
    found = checker.check(implementation_of(wrong_for_one_query))
    assert "on a hard input (lengths 64: " in found.fault
    assert found.agreement.hard_inputs == labels.index("lengths 64")


def test_hard_inputs_are_checked_once_for_problems_with_the_same_features() -> None:
    call: list[int] = []

    def counting(asked_for: AttentionCall) -> Tensor:
        call.append(asked_for.q.shape[2])
        return attend(asked_for)

    each = implementation_of(counting)
    answered: dict[object, object] = {}
    calls = []
    for length in (40, 50):
        before = len(call)
        checker = Checker(Problem.parse(f"h2 t{length} d16"), seed=3, hard_findings=answered)  # type: ignore[arg-type] # filled and read by the check alone
        assert checker.check(each).agreement.hard_inputs > 0
        calls.append(len(call) - before)
    assert 129 not in call[calls[0] :]
    assert calls[1] < calls[0] / 2


honest = implementation_of(attend)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_there_is_no_naive_error_of_a_gradient_that_is_zero(dtype: str) -> None:
    problem = Problem.parse(f"b3 h4 t1 d32 causal {dtype} train")
    inputs = make_inputs(problem, purpose="test")
    found = with_naive(problem, inputs, None)
    assert "dq" not in found.naive  # one key has all the weight, whatever q is
    for seed in range(4):
        for name in ("chunked", "sdpa_flash", "naive"):
            (each,) = impls.select([name], impls.load())
            assert without_hard_inputs(problem, seed).check(each).fault == ""


def test_a_long_first_call_in_training_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths: list[int] = []

    def counts(call: AttentionCall) -> Tensor:
        lengths.append(call.q.shape[2])
        return attend(call)

    each, checker = implementation_of(counts), Checker(Problem.parse("h2 t24 d16 train"), seed=1)
    monkeypatch.setattr(timing, "LONG_MS", float("inf"))
    found = []
    for least_ms in (float("inf"), 0.0):
        monkeypatch.setattr(timing, "WARM_MS", least_ms)
        lengths.clear()
        assert checker.check(each).fault == ""
        found.append(lengths.count(24))
    assert found[1] == found[0] + 1


def test_a_fault_names_the_row_of_the_problem_and_not_of_the_sample() -> None:
    problem = Problem.parse("h2 t17 d8 causal")
    inputs = make_inputs(problem, purpose="test")
    whole = derived_bounds(problem, inputs, rows=None).values["out"]
    sampled = derived_bounds(problem, inputs, rows=torch.tensor([3, 9]))
    whole[0, 1, 9, 2] += 1
    assert "at [0, 1, 9, 2] it is" in judge([whole], sampled)[1]
    assert "at [4, 6, 9, 2] it is" in judge([whole], sampled, (4, 5))[1]


def test_a_row_of_rounding_noise_does_not_set_the_worst_row(right: Expected) -> None:
    value = right.values["out"].clone()
    value[:, :, 3] *= 1e-12
    small = replace(right, values={**right.values, "out": value})
    errors, _ = judge([value + 1e-7], small)
    assert errors[0].worst_row is not None
    assert errors[0].worst_row < 1e-3
