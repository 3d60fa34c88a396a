"""int8 attention is near attention, and its integers and steps are what they are named."""

from __future__ import annotations

import pytest
import torch

import impls
from impls import reference
from impls.int8 import LARGEST, _integers, int8_attention
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.measure.inputs import bind, make_inputs

NEAR = 0.05
"""Relative RMS error below which an approximation replaces attention in a trained model."""


@pytest.mark.parametrize(
    "text",
    [
        "h2 t256 d64 full",
        "h2 t1024 d64 full",
        "b2 h4/2 t512 d64 causal bf16",
        "h2 t300/700 d64 window:128 alibi",
        "b2 h2 t256 d64 causal+padding:0.5 fp16",
        "h2 t300/256 d64 full dense",
    ],
)
def test_the_check_measures_a_small_error(text: str) -> None:
    for seed in range(3):
        found = Checker(Problem.parse(text), seed).check(int8_attention)
        assert found.fault == ""
        assert 0.001 < found.agreement.tensors[0].relative_rms < NEAR


def test_performer_is_not_as_near_on_standard_normal_inputs() -> None:
    (performer,) = impls.select(["performer"], impls.load())
    assert isinstance(performer, Implementation)
    found = Checker(Problem.parse("h2 t256 d64 full"), 1).check(performer)
    assert found.agreement.tensors[0].relative_rms > NEAR


def test_numbers_are_integers_times_the_step_of_their_block() -> None:
    x = torch.randn(2, 3, 70, 16, generator=torch.Generator().manual_seed(1))
    x[:, :, 40] *= 10
    integers, steps = _integers(x, 32)
    assert torch.equal(integers, integers.round())
    assert float(integers.abs().max()) == LARGEST
    assert steps.shape == (2, 3, 70, 1)
    assert bool(((integers * steps - x).abs() <= 0.501 * steps).all())
    assert torch.equal(steps[:, :, 32:64], steps[:, :, 40:41].expand(-1, -1, 32, -1))
    assert bool((steps[:, :, :32] < steps[:, :, 40:41]).all())


def test_zeros_have_finite_steps() -> None:
    integers, steps = _integers(torch.zeros(1, 1, 5, 4), 32)
    assert torch.equal(integers * steps, torch.zeros(1, 1, 5, 4))


def test_a_common_part_of_the_keys_does_not_enlarge_the_error() -> None:
    problem = Problem.parse("h2 t128 d64 causal")
    inputs = make_inputs(problem, purpose="test")
    function = bind(int8_attention, problem, inputs)
    errors = []
    for common in (0.0, 20.0):
        k = inputs.k + common
        exact = reference.attention(
            *(x.double() for x in (inputs.q, k, inputs.v)), mask=problem.mask, scale=0.125
        )
        errors.append(float((function(inputs.q, k, inputs.v) - exact).norm() / exact.norm()))
    assert errors[1] < 1.5 * errors[0]


def test_smaller_blocks_come_nearer() -> None:
    problem = Problem.parse("b2 h4 t256 d64 full")
    inputs = make_inputs(problem, purpose="test")
    q, k, v = (x.double() for x in (inputs.q, inputs.k, inputs.v))
    exact = reference.attention(q, k, v, mask=problem.mask, scale=problem.softmax_scale)
    errors = [
        float((bind(int8_attention.choosing(block=n), problem, inputs)(q, k, v) - exact).norm())
        for n in (16, 128)
    ]
    assert errors[0] < errors[1]
