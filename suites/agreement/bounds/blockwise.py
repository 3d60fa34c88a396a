"""Attention of one block of scores, and in float64 the rounding bound at each step of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, unflatten

from impls import reference
from impls.interface import BiasValues, Mask, Problem
from suites.measure.inputs import Inputs

BLOCK_ENTRIES, BLOCK_ROWS = 1 << 22, 256
"""Score entries and query rows of a block at most: 2^22 float64 scores take 32 MiB. Blocks of few
rows read short runs of keys under a window mask."""
WHOLE_ENTRIES = 1 << 20
"""Score entries, over all heads, of a problem at most that is computed as one block: for small
problems the number of operations is their time."""


class BlockIndex(NamedTuple):
    """Which part of a problem a block holds: some query rows of the heads of some key heads."""

    batch: slice
    key_heads: slice
    heads: slice
    rows: Tensor


@dataclass(slots=True, eq=False)
class InputsWithErrors:
    """float64 inputs of attention, each with the rounding error it came with, in units of u."""

    q: Tensor
    k: Tensor
    v: Tensor
    grad: Tensor | None
    q_error: Tensor
    k_error: Tensor
    v_error: Tensor
    grad_error: Tensor | None
    bias: BiasValues | None = None
    sink: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BoundedTensor:
    """A tensor of a call with its rounding bound. Parts of dk and dv are summed over query rows.

    value   in float64
    bound   shaped like it: the largest rounding error to first order, in units of u
    spread  one number a row: the mean square of the rounding error when the sign of every rounding
            is random, in units of u^2; used in half precision
    """

    value: Tensor
    bound: Tensor
    spread: Tensor

    def of_heads(self) -> BoundedTensor:
        """The same with [B, Hk, group, ...] as [B, Hq, ...]."""
        return BoundedTensor(*(x.flatten(1, 2) for x in (self.value, self.bound, self.spread)))

    def add(self, part: BoundedTensor, at: tuple[slice, slice, slice]) -> None:
        """Add a part of the tensor at its place."""
        self.value[at] += part.value
        self.bound[at] += part.bound
        self.spread[at] += part.spread


class Scores:
    """Scores of some query rows, and their attention.

    Names follow the formula: S scores, P weights, O output. Shapes are [B, Hk, group, rows, keys or
    D]; those of keys and values are [B, Hk, 1, keys, D].
    """

    def __init__(
        self, problem: Problem, mask: Mask, given: InputsWithErrors | Inputs, block: BlockIndex
    ) -> None:
        self._block, self._group = block, problem.query_heads // problem.key_heads
        self.scale, self.softcap = problem.softmax_scale, problem.softcap
        rows = block.rows
        positions = rows + problem.key_length - problem.query_length
        start, end = mask.span(int(positions[0]), int(positions[-1]), problem.key_length)
        self.keys = slice(start, max(end, start + 1))  # one hidden key where a row sees no key
        self.q = self._of_queries(given.q)
        self.k, self.v = self._of_keys(given.k), self._of_keys(given.v)
        keys = torch.arange(problem.key_length, device=rows.device)[self.keys]
        batch_rows = torch.arange(problem.batch, device=rows.device)[block.batch]
        self.seen = reference.visible(mask, batch_rows, positions, keys)[:, None]
        self.added = self.sink = None
        if given.bias is not None:
            values = given.bias.values[block.heads].to(self.q.dtype)
            added = BiasValues(given.bias.kind, values).of_pairs(positions[:, None], keys)
            self.added = unflatten(added, 0, (-1, self._group))
        if given.sink is not None:
            self.sink = given.sink[block.heads].reshape(-1, self._group, 1, 1).to(self.q.dtype)
        self.products = self.scale * (self.q @ self.k.mT)
        self.S = reference.scores(
            self.products, seen=self.seen, softcap=self.softcap, added=self.added
        )
        self.P = reference.weights(self.S, self.sink)
        self.O = self.P @ self.v

    def _of_queries(self, x: Tensor) -> Tensor:
        """The block's rows of a tensor like q, [B, Hk, group, rows, D]."""
        own = x[self._block.batch, self._block.heads][:, :, self._block.rows]
        return unflatten(own, 1, (-1, self._group))

    def _of_keys(self, x: Tensor) -> Tensor:
        """The block's keys of a tensor like k, [B, Hk, 1, keys, D]."""
        return x[self._block.batch, self._block.key_heads, None, self.keys]


class BoundedBlock(Scores):
    """A block in float64 with its rounding bounds."""

    def __init__(
        self, problem: Problem, mask: Mask, given: InputsWithErrors, block: BlockIndex
    ) -> None:
        super().__init__(problem, mask, given, block)
        self._given = given
        self._has_direction = has_direction(problem)
        kind = torch.finfo(getattr(torch, problem.dtype))
        self.unit, self.tiny = kind.eps / 2, kind.smallest_normal
        self.q_error = self._of_queries(given.q_error) if given.q_error.dim() else given.q_error
        self.k_error, self.v_error = (
            self._of_keys(error) if error.dim() else error
            for error in (given.k_error, given.v_error)
        )
        self._bound()

    def _bound(self) -> None:
        """The errors of weights and output; `rel` is the relative error of each weight."""
        S, seen, added, sink = self.S, self.seen, self.added, self.sink
        error = self.scale * (self.q.abs() @ self.k.abs().mT)
        if self.q_error.dim():
            error = error + self.scale * (
                self.q_error @ self.k.abs().mT + self.q.abs() @ self.k_error.mT
            )
        if self.softcap is not None:
            error = self._capped(self.products, error)
        if added is not None:
            error = error + 3 * added.abs()  # three roundings: computed, rounded and added
        every = S if sink is None else torch.cat((S, sink.expand(*S.shape[:-1], 1)), -1)
        top = every.amax(-1, keepdim=True)
        w = (error + (top - S) + 1).masked_fill(~seen, 0.0)
        normaliser = torch.logsumexp(every, -1, keepdim=True)
        rel = w + (self.P * w).sum(-1, keepdim=True)
        rel = rel + normaliser.abs().masked_fill(normaliser.isinf(), 0)
        if sink is not None:
            rel = rel + torch.exp(sink - normaliser) * (top - sink + sink.abs() + 1)
        self.underflow = self.tiny * seen
        # Second-order term: weights below u^2 * max(row) may be flushed to zero.
        least = self.unit * self.P.amax(-1, keepdim=True) * seen
        # An error x of a score is a factor exp(x) of its weight, e^3 where scores of some hundreds
        # are rounded to integers in bfloat16. No weight exceeds 1.
        factor = torch.expm1((self.unit * rel).clamp_max(700.0)) / self.unit
        self.P_error = torch.minimum(self.P * factor, seen / self.unit) + least + self.underflow
        self.O_error = self.P_error @ self.v.abs()
        if self.v_error.dim():
            self.O_error += self.P @ self.v_error

    def _capped(self, products: Tensor, error: Tensor) -> Tensor:
        """The error of capped scores. Stores the derivative of the softcap and its error."""
        softcap = self.softcap or 1.0
        bent = torch.tanh(products / softcap)
        self.slope = 1 - bent.square()
        before = error + products.abs()  # one more rounding: the division by softcap
        self.slope_error = 2 * bent.abs() * (self.slope * before / softcap + bent.abs()) + 1
        return self.slope * before + 2 * softcap * bent.abs()

    def tensors(self) -> Iterator[tuple[str, BoundedTensor]]:
        """Every tensor of the call, by name."""
        bound = self.O_error + self.O.abs() + self.underflow.amax(-1, keepdim=True)
        yield "out", BoundedTensor(self.O, bound, _along(self.P_error, self.v, self.O))
        if self._has_direction:
            bent = self.P * self.products
            direction = (bent - self.P * bent.sum(-1, keepdim=True)) @ self.v
            yield "direction", BoundedTensor(direction, direction, direction[..., 0])
        if self._given.grad is None or self._given.grad_error is None:
            return
        dO, dO_error = self._of_queries(self._given.grad), self._given.grad_error
        yield from self._gradients(dO, self._of_queries(dO_error) if dO_error.dim() else dO_error)

    def _gradients(self, dO: Tensor, dO_error: Tensor) -> Iterator[tuple[str, BoundedTensor]]:
        P, P_error, scale = self.P, self.P_error, self.scale
        delta = (dO * self.O).sum(-1, keepdim=True)
        dS = P * (dO @ self.v.mT - delta)
        steps = dO.abs() @ self.v.abs().mT  # rounding of dP, and below of delta
        steps = steps + (dO.abs() * (self.O_error + self.O.abs())).sum(-1, keepdim=True)
        steps = steps + (dO * self.O).abs().sum(-1, keepdim=True)
        steps = steps + self.tiny * (1 + dO.shape[-1])  # underflow of dP and of delta's D summands
        if dO_error.dim():
            steps = steps + dO_error @ self.v.abs().mT + dO.abs() @ self.v_error.mT
            steps = steps + (dO_error * self.O.abs()).sum(-1, keepdim=True)
        dS_error = P_error * (dO @ self.v.mT - delta).abs() + P * steps + self.underflow
        if self.softcap is not None:
            dS_error = dS_error * self.slope + dS.abs() * self.slope_error
            dS = dS * self.slope
        q_bound = dS_error @ self.k.abs() + dS.abs() @ (self.k.abs() + self.k_error)
        k_bound = _over_group(dS_error, self.q.abs()) + _over_group(
            dS.abs(), self.q.abs() + self.q_error
        )
        v_bound = _over_group(P_error, dO.abs()) + _over_group(P, dO.abs() + dO_error)
        of_rows = self.underflow.amax(-1, keepdim=True)
        of_keys = self.underflow.amax(-2)[:, :, 0, :, None]
        dq, dk, dv = scale * (dS @ self.k), scale * _over_group(dS, self.q), _over_group(P, dO)
        yield (
            "dq",
            BoundedTensor(dq, scale * q_bound + of_rows, _along(scale * dS_error, self.k, dq)),
        )
        yield (
            "dk",
            BoundedTensor(dk, scale * k_bound + of_keys, _across(scale * dS_error, self.q, dk)),
        )
        yield "dv", BoundedTensor(dv, v_bound + of_keys, _across(P_error, dO, dv))


def blocks(problem: Problem, rows: Tensor) -> Iterator[tuple[BlockIndex, slice]]:
    """The blocks of some query rows, each with the place of its rows in `rows`.

    A small problem is one block; blocks of a larger one hold the heads of one key head.
    """
    group = problem.query_heads // problem.key_heads
    step = max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // (group * problem.key_length)))
    pairs = problem.batch * problem.key_heads
    together = pairs * group * min(step, len(rows)) * problem.key_length <= WHOLE_ENTRIES
    batches, key_heads = (problem.batch, problem.key_heads) if together else (1, 1)
    every = product(
        range(0, problem.batch, batches),
        range(0, problem.key_heads, key_heads),
        range(0, len(rows), step),
    )
    for b, key_head, first in every:
        heads = slice(key_head * group, (key_head + key_heads) * group)
        of_keys, at = slice(key_head, key_head + key_heads), slice(first, first + step)
        yield BlockIndex(slice(b, b + batches), of_keys, heads, rows[at]), at


def has_direction(problem: Problem) -> bool:
    """Whether a wrong scale shows in half precision along d out / d log(scale).

    Not with a bias, softcap or sink: their own roundings have the same direction.
    """
    halved = problem.dtype in ("float16", "bfloat16")
    plain = problem.bias.kind == "none" and problem.softcap is None and not problem.sink
    return halved and plain


def _over_group(left: Tensor, right: Tensor) -> Tensor:
    """left^T right, summed over the query heads that share a key head: [B, Hk, keys, D]."""
    return torch.einsum("bhgrk,bhgrd->bhkd", left, right.expand(*left.shape[:-1], -1))


def _along(error: Tensor, other: Tensor, result: Tensor) -> Tensor:
    """The spread of error @ other, plus one rounding of the result: one number a query row."""
    sizes = other.square().mean(-1, keepdim=True)
    return (error.square() @ sizes).squeeze(-1) + result.square().mean(-1)


def _across(error: Tensor, other: Tensor, result: Tensor) -> Tensor:
    """The spread of error^T @ other over the query heads of a key head: one number a key."""
    summed = torch.einsum("bhgrk,bhgr->bhk", error.square(), other.square().mean(-1))
    return summed + result.square().mean(-1)
