from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import impls
from impls import reference
from impls.interface import FULL, Implementation, Limits, Mask, Problem, implementation
from impls.interface.implementation import from_function
from suites.agreement.bounds import expected
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import sampled_rows, with_gradient_of_rows
from suites.agreement.checker import Checker
from suites.agreement.gate import judge
from suites.agreement.hard_checks import HardFindings
from suites.agreement.probes import mask_readout
from suites.measure.inputs import Inputs, bind, call_of, make_inputs
from tests.agreement.impostors.masks import mask_ignored


def attend(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    return reference.attention(q, k, v, mask=mask, scale=scale)


def fault_of(candidate: Any, text: str) -> str:
    checked = candidate if isinstance(candidate, Implementation) else from_function(candidate)
    return Checker(Problem.parse(text), seed=7).check(checked).fault


def in_double(inputs: Inputs) -> Inputs:
    grad = None if inputs.grad is None else inputs.grad.double()
    return Inputs(inputs.q.double(), inputs.k.double(), inputs.v.double(), grad)


@pytest.mark.parametrize(
    "text",
    [
        "b2 h4/2 t33/65 d16 window:9:5 train",
        "b1 h4 t65/33 d8 causal train",
        "b2 h2 t300 d8 window:16 train bthd",
        "b2 h2 t40 d8 causal+padding:0.5 train scale0.3",
        "b1 h2 t40 d8 causal+documents:10x4 train",
    ],
)
def test_the_closed_form_is_the_reference_and_its_gradients(text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    found = derived_bounds(problem, inputs, rows=None)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    wide = in_double(inputs)
    made = call_of(lambda q, k, v: attend(q, k, v, mask=mask, scale=problem.softmax_scale), wide)()
    for name, tensor in zip(("out", "dq", "dk", "dv"), made, strict=True):
        torch.testing.assert_close(tensor, found.values[name], rtol=1e-10, atol=1e-12)


def test_sampled_rows_give_the_same_values_and_exact_gradients_of_k_and_v(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expected, "ALL_ROWS_UP_TO", 100)
    problem = Problem.parse("b1 h2 t300 d8 window:40 train")
    rows = sampled_rows(problem, 3)
    assert rows is not None
    assert {0, 39, 40, 127, 128, 255, 256, 260, 299} <= set(rows.tolist())
    assert len(rows) < 300
    inputs = with_gradient_of_rows(make_inputs(problem, purpose="test"), rows)
    some, every = (derived_bounds(problem, inputs, rows=r) for r in (rows, None))
    for name in ("out", "dq"):
        torch.testing.assert_close(some.values[name], every.values[name][:, :, rows])
        torch.testing.assert_close(some.bounds[name], every.bounds[name][:, :, rows])
    for name in ("dk", "dv"):
        torch.testing.assert_close(some.values[name], every.values[name])


def test_all_rows_of_small_problems_are_compared() -> None:
    assert sampled_rows(Problem.parse("t512"), 3) is None


def test_a_layer_is_compared_with_its_own_projections() -> None:
    def weights(query_width: int, key_width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(query_width + 1000 * key_width)
        widths = (query_width, key_width, key_width, query_width)
        drawn = (torch.randn(n, n, generator=generator, dtype=torch.float64) for n in widths)
        q, k, v, out = (torch.linalg.qr(each)[0] for each in drawn)
        return q, k, v, out

    def merged(x: Tensor, w: Tensor) -> Tensor:
        flat = x.transpose(1, 2).flatten(2) @ w.to(x.dtype)
        return torch.unflatten(flat, 2, (x.shape[1], -1)).transpose(1, 2)

    def layer(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        of = weights(q.shape[1] * q.shape[3], k.shape[1] * k.shape[3])
        inside = (merged(x, w) for x, w in zip((q, k, v), of, strict=False))
        return merged(attend(*inside, mask=mask, scale=scale), of[3])

    def swapped(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        of = weights(q.shape[1] * q.shape[3], k.shape[1] * k.shape[3])
        return merged(attend(q, k, v, mask=mask, scale=scale), of[3])

    def off(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        return layer(q, k, v, mask=mask, scale=scale * 1.001)

    def blurred(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
        halves = (x.bfloat16() for x in (q, k, v))
        return layer(*halves, mask=mask, scale=scale).to(q.dtype)

    decorate = implementation(Limits(), projections=weights)
    for text in ("h4 t65 d8 causal train", "h4 t64 d8 window:9"):
        assert fault_of(decorate(layer), text) == ""
        for impostor in (swapped, off, blurred):
            assert "out is wrong" in fault_of(decorate(impostor), text)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("mask", ["full", "causal", "window:16"])
def test_the_honest_formula_agrees_in_every_dtype(dtype: str, mask: str) -> None:
    assert fault_of(attend, f"h4 t129 d64 {mask} {dtype} train") == ""


def test_the_mask_is_read_out_at_lengths_that_half_precision_cannot_count() -> None:
    def read_out(candidate: Implementation, text: str) -> str:
        problem = Problem.parse(text)
        return mask_readout.differences(bind(candidate, problem, no_inputs), problem, 7)

    no_inputs = make_inputs(Problem.parse("h1 t1 d1"), purpose="test")
    assert read_out(from_function(attend), "h4 t4096 d32 causal bf16") == ""
    fault = read_out(mask_ignored.implementation, "h1 t4097 d64 window:4000 bf16")
    assert "does not see exactly keys 0..0" in fault


def test_an_error_where_the_bound_is_zero_is_wrong() -> None:
    problem = Problem.parse("h1 t9/4 d4 causal")
    inputs = make_inputs(problem, purpose="test")
    found = derived_bounds(problem, inputs, rows=None)
    assert not found.bounds["out"][:, :, :5].any()
    made = found.values["out"].float()
    assert judge((made,), found)[1] == ""
    made[0, 0, 0, 0] = 1e-30
    errors, fault = judge((made,), found)
    assert errors[0].worst_share == float("inf")
    assert "out is wrong" in fault


def test_inputs_are_equal_on_every_device_and_differ_by_purpose_and_session() -> None:
    problem = Problem.parse("t16 d4 train")
    first = make_inputs(problem, purpose="a", session=1)
    assert torch.equal(first.q, make_inputs(problem, purpose="a", session=1).q)
    assert not torch.equal(first.q, make_inputs(problem, purpose="b", session=1).q)
    assert not torch.equal(first.q, make_inputs(problem, purpose="a", session=2).q)
    strided = make_inputs(replace(problem, layout="bthd"), purpose="a", session=1)
    assert strided.q.shape == first.q.shape
    assert not strided.q.is_contiguous()
    assert strided.q.transpose(1, 2).is_contiguous()


def test_honest_float32_uses_a_small_part_of_the_tolerance() -> None:
    shares = []
    answered: HardFindings = {}
    for seed in range(5):
        checker = Checker(
            Problem.parse("b2 h4 t129 d64 causal train"), seed, hard_findings=answered
        )
        for name in ("naive", "sdpa_math", "sdpa_flash"):
            found = checker.check(impls.select([name], impls.load())[0])
            assert found.fault == ""
            shares.append(found.agreement.share or 0)
    assert max(shares) < 0.5


@pytest.mark.parametrize(("dtype", "exponent"), [("fp16", -16), ("fp64", -1060), ("fp64", -1070)])
@pytest.mark.parametrize("mask", [FULL, Mask.parse("causal"), Mask.parse("window:9")])
def test_honest_gradients_below_the_smallest_normal_number_agree(
    mask: Mask, dtype: str, exponent: int
) -> None:
    problem = replace(Problem.parse(f"b1 h4 t65 d16 {dtype} train"), mask=mask)
    inputs = make_inputs(problem, purpose="test")
    assert inputs.grad is not None
    inputs.grad.mul_(2.0**exponent)  # its last roundings are off by up to half, whatever the value
    made = call_of(lambda q, k, v: attend(q, k, v, mask=mask, scale=0.25), inputs)()
    assert float(made[3].abs().max()) < torch.finfo(made[3].dtype).smallest_normal
    _, fault = judge(made, derived_bounds(problem, inputs, rows=None))
    assert not fault


def test_the_bound_of_a_layer_scales_with_very_small_numbers() -> None:
    (layer,) = impls.select(["multi_head(naive)"], impls.load())
    problem = Problem.parse("h4 t9 d8 causal fp64 train")
    inputs, shares = make_inputs(problem, purpose="test"), []
    assert inputs.grad is not None
    for factor in (1.0, 2.0**-700):  # whose square underflows
        inputs.grad.mul_(factor)
        found = derived_bounds(problem, inputs, rows=None, projections=layer.projections)
        shares.append(found.bounds["dv"] / found.values["dv"].abs())
    torch.testing.assert_close(*shares, rtol=1e-6, atol=0)


def test_a_layers_gradients_below_the_smallest_normal_number_agree() -> None:
    (layer,) = impls.select(["multi_head(naive)"], impls.load())
    problem = Problem.parse("h4 t33 d128 causal train")
    inputs = make_inputs(problem, purpose="test")
    assert inputs.grad is not None
    inputs.grad.mul_(2.0**-146)  # each of 512 summands of a projection is off by up to half a step
    made = call_of(bind(layer, problem, inputs), inputs)()
    assert float(made[3].abs().max()) < torch.finfo(torch.float32).smallest_normal
    expects = derived_bounds(problem, inputs, rows=None, projections=layer.projections)
    assert judge(made, expects)[1] == ""


def test_the_bound_is_zero_for_rows_without_visible_keys() -> None:
    problem = Problem.parse("b1 h2 t9/5 d8 causal fp16 train")
    found = derived_bounds(problem, make_inputs(problem, purpose="test"), rows=None)
    assert not found.bounds["out"][:, :, :4].any()
    assert not found.bounds["dq"][:, :, :4].any()
    assert found.bounds["out"][:, :, 4:].all()
