"""Functions with a reference of their own, and the bound by trial."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from impls.interface import FULL, Limits, Mask, Problem, implementation
from impls.linear import dense_linear, linear, performer
from suites.agreement.bounds.by_trial import bounds_by_trial
from suites.agreement.checker import Checker
from suites.agreement.gate import judge
from suites.agreement.hard_inputs import hard_inputs
from suites.measure.inputs import bind, call_of, make_inputs
from tests.agreement.without_hard import without_hard_inputs

LIMITS = Limits(masks=("full", "causal"), unequal_lengths=False, own_scale=False)
TEXTS = ("b2 h4/2 t65 d16 causal train", "h2 t130 d32 full")


def fault_of(function: Any, text: str, seed: int = 3, **settings: Any) -> str:
    each = implementation(LIMITS, **{"reference": dense_linear, **settings})(function)
    return without_hard_inputs(Problem.parse(text), seed).check(each).fault


def scale_off(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    return dense_linear(1.001 * q, k, v, mask=mask)


def half_inside(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    return dense_linear(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask=mask).to(q.dtype)


def a_thousandth_more(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    return 1.001 * dense_linear(q, k, v, mask=mask)


def other_features(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
    return dense_linear(torch.relu(q), torch.relu(k), v, mask=mask)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "impostor",
    [scale_off, half_inside, a_thousandth_more, other_features],
    ids=lambda f: f.__name__,
)
def test_an_implementation_that_differs_from_its_own_reference_is_rejected(
    impostor: Any, text: str
) -> None:
    assert re.search("(out|dq|dk|dv) is wrong", fault_of(impostor, text))


def test_the_mask_is_read_out_whatever_the_function() -> None:
    def blind(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask) -> Tensor:
        return dense_linear(q, k, v, mask=FULL)

    assert "sees keys 0..64, expected 0..0" in fault_of(blind, TEXTS[0])


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16", "bf16"])
@pytest.mark.parametrize("text", ["b2 h4/2 t65 d16 causal train", "h2 t77 d32 full train"])
def test_the_recurrent_form_agrees_and_leaves_room(text: str, dtype: str) -> None:
    for seed, checker in enumerate((Checker, without_hard_inputs, without_hard_inputs)):
        found = checker(Problem.parse(f"{text} {dtype}"), seed).check(linear)
        assert found.fault == ""
        assert (found.agreement.share or 0) < 0.5


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("text", ["b1 h1 t1 d64", "b1 h1 t128 d64 causal"])
def test_a_gradient_that_cancels_out_agrees(text: str, seed: int) -> None:
    problem = Problem.parse(f"{text} train")
    inputs = make_inputs(problem, purpose="check", seed=seed)
    made = call_of(bind(linear, problem, inputs), inputs)()
    assert made[1][0, 0, 0].abs().max() < 1e-6
    assert not judge(made, bounds_by_trial(dense_linear, problem, inputs, None))[1]


@pytest.mark.parametrize(
    ("text", "seed"),
    [("b1 h8/4 t100 d160 fp32 train", 5210), ("b2 h2/1 t384 d160 fp64 train", 5354)],
)
def test_the_bound_covers_sequential_sums_of_one_sign(text: str, seed: int) -> None:
    """In these draws the gradients of q were 16 to 21 times what a dense product is off by."""
    problem = Problem.parse(text)
    [shifted] = [e for e in hard_inputs(problem, linear) if e.label == "a shifted column of v"]
    inputs = shifted.inputs(seed)
    made = call_of(bind(linear, shifted.problem, inputs), inputs)()
    errors, fault = judge(made, bounds_by_trial(dense_linear, shifted.problem, inputs, None))
    assert fault == ""
    assert max(error.worst_share for error in errors) < 8


def test_rows_computed_in_runs_equal_the_rows_of_the_whole() -> None:
    problem = Problem.parse("h2 t90 d8 causal train")
    inputs = make_inputs(problem, purpose="test")
    assert inputs.grad is not None
    rows = torch.tensor([0, 1, 5, 40, 41, 42, 89])
    kept = torch.zeros(90, dtype=torch.bool)
    kept[rows] = True
    inputs.grad[:, :, ~kept] = 0
    some, every = (bounds_by_trial(dense_linear, problem, inputs, r) for r in (rows, None))
    for name in ("out", "dq"):
        torch.testing.assert_close(some.values[name], every.values[name][:, :, rows])
    for name in ("dk", "dv"):
        torch.testing.assert_close(some.values[name], every.values[name])
    made = call_of(bind(linear, problem, inputs), inputs)()
    assert judge(made, some)[1] == ""


def test_an_approximation_is_measured_not_judged() -> None:
    found = Checker(Problem.parse("b2 h4 t130 d32 causal train"), 3).check(performer)
    assert found.fault == ""
    assert found.agreement.tensors[0].relative_rms > 0.01


def test_an_approximation_that_reads_hidden_keys_is_wrong() -> None:
    def peeks(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        made = performer.bound(mask=mask, scale=scale)(q, k, v)
        return made + 1e-3 * v.mean(2, keepdim=True).repeat_interleave(q.shape[1] // v.shape[1], 1)

    fault = fault_of(peeks, "b2 h4 t130 d32 causal", reference=None, approximates=True)
    assert "changes with hidden keys" in fault
