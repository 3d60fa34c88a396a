"""The dense part of a layer, behind a call of attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Problem
from suites.measure.gradients import GradientMode
from suites.measure.inputs import make_inputs
from suites.measure.layer_work import work
from suites.measure.layers import Layer

SIZES = "b2 h4/2 t8/16 d16 full fp32 cpu"


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def test_a_layer_returns_the_next_queries_keys_and_values() -> None:
    problem = Problem.parse(SIZES)
    inputs = make_inputs(problem, purpose="test")
    found: Any = Layer(problem).after(attend, inputs, GradientMode())()
    assert found.shape == (2, 8, (4 + 2 + 2) * 16)
    assert not found.requires_grad
    assert 0.1 < found.std() < 10  # neither vanishes nor overflows


def test_in_training_inputs_and_weights_have_gradients() -> None:
    problem = Problem.parse(f"{SIZES} train")
    inputs, layer = make_inputs(problem, purpose="test"), Layer(problem)
    found: Any = layer.after(attend, inputs, GradientMode())()
    expected = [inputs.q, inputs.k, inputs.v, *layer.weights]
    assert [x.shape for x in found] == [x.shape for x in expected]
    assert all(x.abs().sum() > 0 for x in found)
    assert all(x.grad is None for x in layer.weights)


def test_other_implementations_give_the_same_layer() -> None:
    problem = Problem.parse(SIZES)
    inputs = make_inputs(problem, purpose="test")
    first, second = (Layer(problem).after(attend, inputs, GradientMode())() for _ in range(2))
    assert torch.equal(first, second)  # type: ignore[arg-type] # tensors


@pytest.mark.parametrize(("words", "factor"), [("", 1.0), (" train", 3.0)])
def test_the_work_of_a_layer_is_that_of_its_products(words: str, factor: float) -> None:
    rows, width = 2 * 8, 4 * 16
    products = (1 + 2 + 2) * width + (4 + 2 + 2) * 16
    assert work(Problem.parse(f"{SIZES}{words}")) == factor * 2 * rows * width * products
