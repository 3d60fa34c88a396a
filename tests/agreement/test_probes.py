"""The perturbation probe and the bias readout by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.interface import Problem
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import Expected
from suites.agreement.probes import bias_readout, perturbation
from suites.agreement.visible_keys import visible_intervals
from suites.measure.inputs import Inputs, bind, make_inputs
from tests.agreement.attention_call import AttentionCall, Form, attend, implementation_of
from tests.agreement.honest import (
    a_maximum_before_the_mask,
    a_maximum_of_all_keys,
    keys_in_order_of_size,
    keys_less_their_mean,
)
from tests.agreement.impostors.masks import without_keys
from tests.stand_in.device import stand_in

PROBED = (
    "b2 h2 t33 d16 causal",
    "b2 h2 t33 d16 full",
    "b2 h4/2 t40/65 d16 window:9:5 fp16",
    "b3 h2 t33 d16 window:9+padding:0.5 bf16",
    "b2 h2 t65 d16 causal+documents:10/23x2/9",
    "b2 h2 t40/20 d16 causal",
)


def setting(text: str, form: Form) -> tuple[Problem, Inputs, Callable[..., Tensor]]:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    return problem, inputs, bind(implementation_of(form), problem, inputs)


def fault_of(text: str, form: Form, seed: int = 5, *, approximates: bool = False) -> str:
    problem, inputs, function = setting(text, form)
    out = function(inputs.q, inputs.k, inputs.v)
    expected = derived_bounds(problem, inputs, rows=None)

    def expect(others: Inputs, rows: Tensor) -> Expected:
        return derived_bounds(problem, others, rows=rows)

    setting_ = perturbation.Setting(problem, inputs, expected, expect, approximates)
    return perturbation.differences(function, setting_, out, seed, draws=3)


@pytest.mark.parametrize("text", PROBED)
def test_perturbation_accepts_an_honest_form(text: str) -> None:
    assert [fault_of(text, attend, seed) for seed in range(5)] == [""] * 5


def test_a_row_need_not_change_where_an_unchanged_key_has_all_of_its_weight() -> None:
    found = [fault_of("b2 h1 t64 d64 causal scale4.0 fp16", attend, seed) for seed in range(12)]
    assert found == [""] * 12


def test_a_small_weight_on_a_hidden_key_is_found() -> None:
    def leaking(call: AttentionCall) -> Tensor:
        hidden = call.v[:, :, -1:].repeat_interleave(call.q.shape[1] // call.v.shape[1], 1)
        return attend(call) + 1e-4 * hidden

    assert "changes with hidden keys: " in fault_of("b2 h2 t33 d16 causal", leaking)


@pytest.mark.parametrize("text", PROBED)
@pytest.mark.parametrize(
    "form",
    [
        a_maximum_before_the_mask,
        a_maximum_of_all_keys,
        keys_in_order_of_size,
        keys_less_their_mean,
    ],
)
def test_hidden_keys_may_change_rounding(text: str, form: Form) -> None:
    assert [fault_of(text, form, seed) for seed in range(5)] == [""] * 5


def test_a_leak_of_a_maximum_before_the_mask_is_found_with_large_values() -> None:
    def leaking(call: AttentionCall) -> Tensor:
        weight = torch.finfo(call.q.dtype).eps / 8
        return a_maximum_before_the_mask(call) + weight * call.values[:, :, -1:]

    assert "changes with hidden keys: " in fault_of("b2 h2 t33 d16 causal", leaking)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_weight_below_rounding_is_found_with_large_values(dtype: str) -> None:
    def leaking(call: AttentionCall) -> Tensor:
        weight = torch.finfo(call.q.dtype).eps / 8
        return attend(call) + weight * call.values[:, :, -1:]

    assert "changes with hidden keys: " in fault_of(f"b2 h2 t33 d16 causal {dtype}", leaking)


def rounded(x: Tensor, largest: int) -> Tensor:
    """Integers up to `largest` with one scale for 32 keys, [B, H, T, D]."""
    blocks = torch.unflatten(pad(x.float(), (0, 0, 0, -x.shape[2] % 32)), 2, (-1, 32))
    step = blocks.abs().amax((-1, -2), keepdim=True) / largest
    return ((blocks / step).round() * step).flatten(2, 3)[:, :, : x.shape[2]].to(x.dtype)


def int8_keys(call: AttentionCall) -> Tensor:
    return attend(replace(call, k=rounded(call.k, 127)))


def int4_keys(call: AttentionCall) -> Tensor:
    return attend(replace(call, k=rounded(call.k, 7)))


def int8_keys_and_values(call: AttentionCall) -> Tensor:
    return attend(replace(call, k=rounded(call.k, 127), v=rounded(call.v, 127)))


@pytest.mark.parametrize("text", PROBED)
@pytest.mark.parametrize("form", [int8_keys, int4_keys, int8_keys_and_values])
def test_hidden_keys_may_change_how_an_approximation_rounds(text: str, form: Form) -> None:
    found = [fault_of(text, form, seed, approximates=True) for seed in range(8)]
    assert found == [""] * 8


def test_the_same_rounding_is_a_leak_where_it_is_not_declared() -> None:
    assert "changes with hidden keys: " in fault_of(PROBED[0], int8_keys)


def test_a_weight_below_the_error_of_an_approximation_is_found_with_large_values() -> None:
    def leaking(call: AttentionCall) -> Tensor:
        return int8_keys(call) + 1e-3 * call.values[:, :, -1:]

    fault = fault_of("b2 h2 t33 d16 causal", leaking, approximates=True)
    assert "changes with hidden keys: " in fault


@pytest.mark.parametrize("right", [1, 2, 32])
def test_an_approximation_with_another_mask_is_found(right: int) -> None:
    def seeing(call: AttentionCall) -> Tensor:
        return int8_keys(replace(call, mask=replace(call.mask, right=right)))

    fault = fault_of("b2 h2 t33 d16 causal", seeing, approximates=True)
    assert "changes with hidden keys: " in fault


def test_hidden_scores_in_the_sum_of_an_approximation_are_found() -> None:
    """Hidden values have no weight there: only hidden keys change the output."""

    def summing(call: AttentionCall) -> Tensor:
        scores = call.scale * (call.q @ rounded(call.keys, 127).mT)
        return (torch.softmax(scores, -1) * call.seen) @ call.values

    fault = fault_of("b2 h2 t33 d16 causal", summing, approximates=True)
    assert "changes with hidden keys: " in fault


def test_visible_keys_that_are_never_read_are_found() -> None:
    def short(call: AttentionCall) -> Tensor:
        return without_keys(call, torch.arange(call.k.shape[2]) >= 12)

    assert "does not change with visible keys: " in fault_of("b2 h2 t33 d16 window:5", short)


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16", "bf16"])
@pytest.mark.parametrize("bias", ["alibi", "relative:8", "relative:32", "dense"])
@pytest.mark.parametrize("shape", ["b2 h2 t33 causal", "b2 h4/2 t33/65 window:20:20"])
def test_the_given_bias_is_read_out(shape: str, bias: str, dtype: str) -> None:
    problem, inputs, function = setting(f"{shape} d16 {bias} {dtype}", attend)
    assert inputs.bias is not None
    assert bias_readout.differences(function, problem, inputs.bias) == ""


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_a_bias_that_is_twice_as_steep_is_reported_with_both_figures(dtype: str) -> None:
    def steep(call: AttentionCall) -> Tensor:
        return attend(replace(call, bias=replace(call.bias, values=2 * call.bias.values)))

    problem, inputs, function = setting(f"b2 h2 t33 d16 causal alibi {dtype}", steep)
    assert inputs.bias is not None
    fault = bias_readout.differences(function, problem, inputs.bias)
    found = re.search(r"head 0, .* gets (\S+) relative to key .*, expected (\S+)$", fault)
    assert found
    assert float(found[1]) == pytest.approx(2 * float(found[2]), rel=0.02)


def test_replaced_keys_are_drawn_on_the_device_of_the_inputs_alike_in_every_check() -> None:
    generator = torch.Generator().manual_seed(5)
    assert perturbation._numbers(torch.device("cpu"), generator) is generator
    with stand_in():
        device = torch.device("cuda")
        first, second = (
            torch.randn(8, generator=perturbation._numbers(device, generator), device=device)
            for _ in range(2)
        )
        assert first.device.type == "cuda"
        assert torch.equal(first, second)


def test_the_visible_keys_of_a_problem_are_computed_once() -> None:
    problem = Problem.parse("t33 window:9")
    assert visible_intervals(problem) is visible_intervals(Problem.parse("t33 window:9"))
