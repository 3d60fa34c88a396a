"""What an implementation adds to the scores, read out of its answers at small sizes.

With q = k = 0 a weight is exp(bias) over their sum. V holds one-hot columns, so the logarithm of
the ratio of two outputs of a row is the difference of what was added to two scores.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impls import reference
from impls.interface import BiasValues, Problem
from suites.measure.inputs import laid_out

LEAST_WEIGHT = 1 / 64
"""Weights below this are too coarse to tell of in half precision."""
ROUNDINGS = 16
"""How many roundings of a weight what is read out may be off by."""


def differences(function: Callable[..., Tensor], problem: Problem, bias: BiasValues) -> str:
    """Where what is added differs from the bias, in words; empty where it never does.

    function  of q, k and v, bound with this bias and without a sink
    """
    added, expected = _read_out(function, problem), _expected(problem, bias)
    weights = torch.exp(expected)
    top = weights.argmax(-1, keepdim=True)
    got = (added - added.gather(-1, top)).nan_to_num(nan=0.0, neginf=-1e9)
    wanted = expected - expected.gather(-1, top)
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    largest = wanted.abs().masked_fill(wanted.isinf(), 0)
    off = (got - wanted).abs() > ROUNDINGS * unit * (1 + largest)
    off &= weights >= LEAST_WEIGHT
    if not off.any():
        return ""
    b, head, row, key = (int(i) for i in off.nonzero()[0])
    other = int(top[b, head, row])
    position = row + problem.key_length - problem.query_length
    return (
        f"the bias is wrong: from query {row}, head {head}, key {key} (distance {position - key}) "
        f"gets {got[b, head, row, key]:.4g} beside key {other} (distance {position - other}), "
        f"should get {wanted[b, head, row, key]:.4g}"
    )


def _read_out(function: Callable[..., Tensor], problem: Problem) -> Tensor:
    """Logarithms of the weights as the implementation has them, [B, Hq, Tq, Tk]."""
    columns = problem.value_size
    q = _zeros(problem, problem.query_heads, problem.query_length)
    k = _zeros(problem, problem.key_heads, problem.key_length)
    weights = []
    for first in range(0, problem.key_length, columns):
        hot = torch.eye(problem.key_length)[:, first : first + columns]
        hot = torch.nn.functional.pad(hot, (0, columns - hot.shape[1]))
        v = laid_out(hot.expand(problem.batch, problem.key_heads, *hot.shape), problem)
        with torch.no_grad():
            weights.append(function(q, k, v).double().cpu())
    return torch.cat(weights, -1)[..., : problem.key_length].log()


def _zeros(problem: Problem, heads: int, length: int) -> Tensor:
    return laid_out(torch.zeros(problem.batch, heads, length, problem.head_dim), problem)


def _expected(problem: Problem, bias: BiasValues) -> Tensor:
    """Logarithms of the weights by the bias, [B, Hq, Tq, Tk]; -inf where a key is not seen."""
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    rows, keys = torch.arange(problem.batch), torch.arange(problem.key_length)
    positions = torch.arange(problem.query_length) + problem.key_length - problem.query_length
    seen = reference.visible(mask, rows, positions, keys)
    added = BiasValues(bias.kind, bias.values.double().cpu()).at(positions[:, None] - keys)
    scores = reference.scores(torch.zeros_like(added), seen=seen, added=added)
    return reference.weights(scores).log()
