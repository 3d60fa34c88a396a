"""Self-attention layers on one tensor [B, T, E], their parts, and torch.nn.MultiheadAttention.

The floor of a layer is the sum of its matrix products with the weights and of its inner attention,
each timed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from impls.chunked import chunked
from impls.interface import Mask, Problem
from impls.multi_head import MultiHeadAttention
from impls.sdpa import sdpa_flash
from suites.calibrate.floors.operators import Arms, calls_of
from suites.measure.devices import FEWEST_SETS
from suites.measure.gradients import begin_gradients
from suites.measure.timing import Call

INNER: Final = (sdpa_flash, chunked)
"""The attentions inside the layer."""
TORCHS: Final = {"nn.MultiheadAttention": False, "nn.MultiheadAttention with bias": True}
"""Both forms of torch's layer, and whether they have biases. Only the form with biases takes
torch's fast path, outside of training."""

Layer = Callable[[Tensor], Tensor]


def layer_arms(problem: Problem) -> Arms:
    """Layers of equal weights around each attention, their parts, and those of torch.

    Training has gradients of the input and of the weights.
    """
    generator = torch.Generator().manual_seed(0)
    shape = problem.batch, problem.query_length, problem.query_heads * problem.head_dim
    sets = [torch.randn(2, *shape, generator=generator) for _ in range(FEWEST_SETS)]
    training, of_heads = problem.training, replace(problem, layout="bthd")
    calls: dict[str, Sequence[Call]] = {
        name: [_call(layer, weights, x, grad if training else None) for x, grad in sets]
        for name, (layer, weights) in made_layers(problem).items()
    }
    calls["products"] = [products(x, grad if training else None) for x, grad in sets]
    calls |= {str(each): calls_of(each, of_heads) for each in INNER}
    pairs = [
        (f"multi_head({each})", base)
        for each in INNER
        for base in (("products", str(each)), *((name,) for name in TORCHS))
    ]
    return Arms(calls, pairs)


def made_layers(problem: Problem) -> dict[str, tuple[Layer, list[nn.Parameter]]]:
    """Every layer by name, as a function of x [B, T, E], and its parameters; weights are equal."""
    heads, length, mask = problem.query_heads, problem.query_length, problem.mask
    width = heads * problem.head_dim
    own = [MultiHeadAttention(width, (heads, heads), each.bound) for each in INNER]
    found: dict[str, tuple[Layer, list[nn.Parameter]]] = {}
    for each, layer in zip(INNER, own, strict=True):
        layer.load_state_dict(own[0].state_dict())
        found[f"multi_head({each})"] = _with_mask(layer, mask), list(layer.parameters())
    hidden = None if mask.is_full else ~mask.dense(1, length, length, torch.device("cpu"))
    wq, wk, wv, wo = (each.detach().T for each in own[0].parameters())  # torch has x @ weight.T
    stacked = {"in_proj_weight": torch.cat((wq, wk, wv)), "out_proj.weight": wo}
    for name, bias in TORCHS.items():
        of_torch = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True)
        of_torch.train(problem.training).load_state_dict(stacked, strict=False)  # biases are zero
        found[name] = _of_torch(of_torch, hidden), list(of_torch.parameters())
    return found


def products(x: Tensor, grad: Tensor | None) -> Call:
    """The four products of a layer, and in training the eight of its backward pass, alone.

    x and grad stand for all activations and their gradients: [B, T, E].
    """
    rows = x.flatten(0, 1)
    factors = []
    for weight in torch.randn(4, x.shape[2], x.shape[2]) / x.shape[2] ** 0.5:
        factors.append((rows, weight, torch.empty_like(rows)))
        if grad is not None:
            of_out = grad.flatten(0, 1)
            factors.append((of_out, weight.T, torch.empty_like(rows)))
            factors.append((rows.T, of_out, torch.empty_like(weight)))

    def multiply() -> None:
        for left, right, out in factors:
            torch.mm(left, right, out=out)

    return multiply


def _with_mask(layer: MultiHeadAttention, mask: Mask) -> Layer:
    return lambda x: layer(x, mask=mask)


def _of_torch(layer: nn.MultiheadAttention, hidden: Tensor | None) -> Layer:
    causal = hidden is not None
    return lambda x: layer(x, x, x, need_weights=False, attn_mask=hidden, is_causal=causal)[0]


def _call(layer: Layer, weights: Sequence[Tensor], x: Tensor, grad: Tensor | None) -> Call:
    """The output in inference mode, or all gradients."""
    if grad is None:
        return torch.inference_mode()(lambda: layer(x))
    begin_gradients()
    leaves = [x.clone().requires_grad_(), *weights]
    return lambda: torch.autograd.grad(layer(leaves[0]), leaves, grad)
