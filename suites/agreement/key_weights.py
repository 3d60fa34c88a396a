"""The weight of a visible key where q and k are constant, by an implementation's own reference.

Without a softmax the weights of a row need not sum to one. Linear attention without a normaliser
gives every visible key the same weight. With decay the weights of a row differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from impls.interface import AttentionFunction, BiasValues, Implementation, Problem
from suites.agreement.bounds.by_trial import values_of
from suites.agreement.visible_keys import visible_intervals
from suites.measure.inputs import Inputs, laid_out, make_inputs

EQUAL: Final = 1e-9
"""Relative difference of equal weights: float64 rounding over thousands of keys."""
NO_WEIGHT: Final = -1e4
"""Logit of a sink whose weight is zero in every dtype."""


@dataclass(frozen=True, slots=True)
class KeyWeight:
    """How much every visible key weighs where q and k are constant.

    constant  the number in q and k
    weight    of a key, the same in every row; None: one over the number of visible keys of its row
    """

    constant: float
    weight: float | None = None

    def counts(self, out: Tensor, visible: Tensor) -> Tensor:
        """Outputs as sums over keys. `visible` is the number of visible keys, of out's shape."""
        return out * visible if self.weight is None else out / self.weight


def key_weight(implementation: Implementation, problem: Problem) -> KeyWeight | None:
    """The weight of a key by the implementation's reference; None where weights of a row differ."""
    if implementation.reference is None:
        return KeyWeight(0.0)
    return _of_reference(implementation.reference, replace(problem, training=False))


def neutral(inputs: Inputs) -> Inputs:
    """The same inputs with a bias of zero, and with a sink that has no weight."""
    bias, sink = inputs.bias, inputs.sink
    return replace(
        inputs,
        bias=None if bias is None else BiasValues(bias.kind, torch.zeros_like(bias.values)),
        sink=None if sink is None else torch.full_like(sink, NO_WEIGHT),
    )


def constant_queries_and_keys(problem: Problem, constant: float) -> tuple[Tensor, Tensor]:
    """Q and k that hold one number."""
    heads = (problem.query_heads, problem.query_length), (problem.key_heads, problem.key_length)
    q, k = (
        laid_out(torch.full((problem.batch, *each, problem.head_dim), constant), problem)
        for each in heads
    )
    return q, k


@lru_cache(maxsize=64)
def _of_reference(reference: AttentionFunction, problem: Problem) -> KeyWeight | None:
    """Products q k are 1: at 0 the weights of a product without a softmax are 0."""
    constant = problem.head_dim**-0.5
    q, k = constant_queries_and_keys(problem, constant)
    inputs = neutral(replace(make_inputs(problem, purpose="key weights"), q=q, k=k))
    out, rows = values_of(reference, problem, inputs)
    spans = visible_intervals(problem)
    spans = spans if rows is None else spans[:, rows]
    weights = _weights(out.cpu(), _sums(inputs.v.double().cpu(), spans, problem))
    visible = (spans[..., 1] - spans[..., 0])[:, None].double()
    if weights is None:
        return None
    for weight in (None, float(weights.max())):
        expected = visible.clamp_min(1).reciprocal() if weight is None else weight
        off = (weights - expected).abs().masked_fill(visible == 0, 0.0)
        if bool((off <= EQUAL * weights.abs()).all()):
            return KeyWeight(constant, weight)
    return None


def _sums(v: Tensor, spans: Tensor, problem: Problem) -> Tensor:
    """Sums of the values of visible keys, [B, Hq, rows, Dv]."""
    sums = torch.cat([torch.zeros_like(v[:, :, :1]), v.cumsum(2)], 2)
    start, end = (
        at[:, None, :, None].expand(-1, v.shape[1], -1, v.shape[3]) for at in spans.unbind(-1)
    )
    found = sums.gather(2, end) - sums.gather(2, start)
    return found.repeat_interleave(problem.query_heads // problem.key_heads, dim=1)


def _weights(out: Tensor, sums: Tensor) -> Tensor | None:
    """The weight of the keys of every row, [B, Hq, rows]; None where outputs are no multiples."""
    squares = sums.square().sum(-1)
    weights = (out * sums).sum(-1) / squares.clamp_min(1e-300)
    off = (out - weights[..., None] * sums).norm(dim=-1)
    multiples = off <= EQUAL * weights.abs() * squares.sqrt()
    positive = (weights > 0) | (squares == 0)
    return weights if bool((multiples & positive).all()) else None
