"""Linear attention is its dense sum; random features come nearer the more there are."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch
from torch import Tensor

from impls import reference
from impls.interface import Problem
from impls.linear import dense_linear, linear, performer
from suites.measure.inputs import bind, make_inputs


def answer(each: object, text: str, seed: int = 0) -> Tensor:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test", seed=seed)
    return bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v)  # type: ignore[arg-type] # one of ours


@pytest.mark.parametrize("text", ["b2 h4/2 t129 d16", "b2 h4/2 t129 d16 causal", "t1 d16 causal"])
@pytest.mark.parametrize("block", [32, 64, 256])
def test_the_recurrent_form_is_the_dense_sum(text: str, block: int) -> None:
    problem = Problem.parse(f"{text} fp64 dv8")
    x = make_inputs(problem, purpose="test")
    made = linear.choosing(block=block).bound(mask=problem.mask, scale=1.0)(x.q, x.k, x.v)
    torch.testing.assert_close(made, dense_linear(x.q, x.k, x.v, mask=problem.mask))


def test_the_dense_sum_lines_up_the_last_query_with_the_last_key() -> None:
    problem = Problem.parse("h2 t20 d8 causal fp64")
    x = make_inputs(problem, purpose="test")
    whole = dense_linear(x.q, x.k, x.v, mask=problem.mask)
    part = dense_linear(x.q[:, :, 15:], x.k, x.v, mask=problem.mask)
    torch.testing.assert_close(part, whole[:, :, 15:])


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_more_random_features_come_nearer(mask: str) -> None:
    problem = Problem.parse(f"b2 h4 t64 d16 {mask}")
    off = []
    for count in (64, 512):
        errors = []
        for seed in range(4):
            x = make_inputs(problem, purpose="test", seed=seed)
            exact = reference.attention(x.q, x.k, x.v, mask=problem.mask, scale=0.05)
            made = performer.choosing(features=count).bound(mask=problem.mask, scale=0.05)
            errors.append(float((made(x.q, x.k, x.v) - exact).norm() / exact.norm()))
        off.append(fmean(errors))
    assert off[1] < 0.6 * off[0]
    assert off[1] < 0.1


def test_the_random_features_are_always_the_same() -> None:
    assert torch.equal(*(answer(performer, "h2 t33 d8 causal") for _ in range(2)))


def test_memory_of_the_state_is_all_that_is_kept_of_earlier_keys() -> None:
    problem = Problem.parse("h1 t256 d8 causal fp64")
    x = make_inputs(problem, purpose="test")
    made = linear.choosing(block=32).bound(mask=problem.mask, scale=1.0)
    before = made(x.q, x.k, x.v)
    x.k[:, :, 200:], x.v[:, :, 200:] = 0, 9
    after = made(x.q, x.k, x.v)
    assert torch.equal(before[:, :, :192], after[:, :, :192])
    assert not torch.equal(before[:, :, 200:], after[:, :, 200:])
