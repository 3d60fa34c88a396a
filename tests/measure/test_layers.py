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
from suites.measure.layer_work import LAYERS, work
from suites.measure.layers import Layers

SIZES = "b2 h4/2 t8/16 d16 full fp32 cpu"


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)


@pytest.mark.parametrize("keys", ["8", "8/16"])
@pytest.mark.parametrize("layout", ["", " bthd"])
def test_layers_return_the_same_shape_as_a_model(keys: str, layout: str) -> None:
    problem = Problem.parse(f"b2 h4/2 t{keys} d16 full fp32{layout} cpu")
    inputs, seen = make_inputs(problem, purpose="test"), []

    def watched(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.append([(x.shape, x.stride()) for x in (q, k, v)])
        return attend(q, k, v)

    found: Any = Layers(problem).around(watched, inputs, GradientMode())()
    assert found.shape == (2, 8, 4 * 16)
    assert not found.requires_grad
    assert 0.1 < found.std() < 10  # neither vanishes nor overflows
    assert seen == [[(x.shape, x.stride()) for x in (inputs.q, inputs.k, inputs.v)]] * LAYERS


@pytest.mark.parametrize(("keys", "leaves"), [("8", 6 * LAYERS), ("8/16", 6 * LAYERS + 1)])
def test_in_training_weights_have_gradients(keys: str, leaves: int) -> None:
    problem = Problem.parse(f"b2 h4/2 t{keys} d16 full fp32 cpu train")
    inputs, layers = make_inputs(problem, purpose="test"), Layers(problem)
    found: Any = layers.around(attend, inputs, GradientMode())()
    assert len(found) == leaves
    assert all(x.abs().sum() > 0 for x in found)
    assert all(x.grad is None for own in layers.weights for x in own)


def keys_of_layers(words: str) -> list[Tensor]:
    problem, seen = Problem.parse(f"b1 h4 d16 fp32 cpu {words}"), []

    def watched(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.append(k)
        return attend(q, k, v)

    inputs = make_inputs(problem, purpose="test")
    Layers(problem).around(watched, inputs, GradientMode())()
    return [*seen, inputs.k]


def test_each_layer_has_a_cache_of_its_own() -> None:
    *seen, given = keys_of_layers("t1/16 full")
    assert all(torch.equal(each, given) for each in seen)
    assert len({each.data_ptr() for each in seen}) == LAYERS


def test_keys_of_many_queries_are_projections() -> None:
    *seen, given = keys_of_layers("t40/16 full")
    assert all(each.shape == given.shape and not torch.equal(each, given) for each in seen)


def test_every_implementation_has_the_same_layers() -> None:
    problem = Problem.parse(SIZES)
    inputs = make_inputs(problem, purpose="test")
    first, second = (Layers(problem).around(attend, inputs, GradientMode())() for _ in range(2))
    assert torch.equal(first, second)  # type: ignore[arg-type] # tensors


@pytest.mark.parametrize(("words", "factor"), [("", 1.0), (" train", 3.0)])
def test_the_work_of_a_layer_is_that_of_its_products(words: str, factor: float) -> None:
    rows, width = 2 * 8, 4 * 16
    products = (1 + 2 + 2) * width + (4 + 2 + 2) * 16
    assert work(Problem.parse(f"{SIZES}{words}")) == factor * 2 * rows * width * products
