"""Attention of a block of scores in float64, and what rounding may add at each step of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from impls import reference
from impls.interface import BiasValues, Mask, Problem


@dataclass(slots=True, eq=False)
class Given:
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


class Block:
    """Attention of some query rows of the heads that share a key head, with its rounding bounds.

    Names follow the formula: S scores, P weights, O output; shapes are [group, rows, keys or D].
    """

    def __init__(
        self,
        problem: Problem,
        mask: Mask,
        given: Given,
        b: int,
        key_head: int,
        heads: slice,
        rows: Tensor,
    ) -> None:
        self._given, self._rows, self._b, self._heads = given, rows, b, heads
        self._has_direction = has_direction(problem)
        self.scale = problem.softmax_scale
        self.tiny = torch.finfo(getattr(torch, problem.dtype)).smallest_normal
        positions = rows + problem.key_length - problem.query_length
        start, end = mask.span(int(positions[0]), int(positions[-1]), problem.key_length)
        self.keys = slice(start, max(end, start + 1))  # one hidden key stands for none at all
        self.q = given.q[b, heads][:, rows]
        self.k, self.v = given.k[b, key_head, self.keys], given.v[b, key_head, self.keys]
        self.q_error = self._error(given.q_error, (b, heads), rows)
        self.k_error = self._error(given.k_error, (b, key_head, self.keys))
        self.v_error = self._error(given.v_error, (b, key_head, self.keys))
        keys = torch.arange(problem.key_length, device=rows.device)[self.keys]
        seen = reference.visible(mask, torch.full((1,), b, device=rows.device), positions, keys)[0]
        self.softcap = problem.softcap
        bias, sink = given.bias, given.sink
        added = (
            None
            if bias is None
            else BiasValues(bias.kind, bias.values[heads].double()).at(positions[:, None] - keys)
        )
        self._softmax(seen, added, None if sink is None else sink[heads, None, None].double())

    @staticmethod
    def _error(error: Tensor, at: tuple[int | slice, ...], rows: Tensor | None = None) -> Tensor:
        if error.dim() == 0:
            return error
        return error[at] if rows is None else error[at][:, rows]

    def _softmax(self, seen: Tensor, added: Tensor | None, sink: Tensor | None) -> None:
        """Weights and output, and `rel`: the relative error of each weight."""
        products = self.products = self.scale * (self.q @ self.k.T)
        error = self.scale * (self.q.abs() @ self.k.abs().T)
        if self.q_error.dim():
            error = error + self.scale * (
                self.q_error @ self.k.abs().T + self.q.abs() @ self.k_error.T
            )
        S = reference.scores(products, seen=seen, softcap=self.softcap, added=added)
        self.P = reference.weights(S, sink)
        if self.softcap is not None:
            error = self._capped(products, error)
        if added is not None:
            error = error + 3 * added.abs()  # made, rounded and summed up
        every = S if sink is None else torch.cat((S, sink.expand(*S.shape[:-1], 1)), -1)
        top = every.amax(-1, keepdim=True)
        w = (error + (top - S) + 1).masked_fill(~seen, 0.0)
        normaliser = torch.logsumexp(every, -1, keepdim=True)
        rel = w + (self.P * w).sum(-1, keepdim=True)
        rel = rel + normaliser.abs().masked_fill(normaliser.isinf(), 0)
        if sink is not None:
            rel = rel + torch.exp(sink - normaliser) * (top - sink + sink.abs() + 1)
        self.underflow = self.tiny * seen
        self.P_error = self.P * rel + self.underflow
        self.O = self.P @ self.v
        self.O_error = self.P_error @ self.v.abs()
        if self.v_error.dim():
            self.O_error += self.P @ self.v_error

    def _capped(self, products: Tensor, error: Tensor) -> Tensor:
        """The error of capped scores; and how their gradient shrinks, with what that is off by."""
        softcap = self.softcap or 1.0
        bent = torch.tanh(products / softcap)
        self.slope = 1 - bent.square()
        before = error + products.abs()  # the division rounds once more
        self.slope_error = 2 * bent.abs() * (self.slope * before / softcap + bent.abs()) + 1
        return self.slope * before + 2 * softcap * bent.abs()

    def answers(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(tensor, value, bound in units of u), what of it these rows make."""
        yield "out", self.O, self.O_error + self.O.abs() + self.underflow.amax(-1, keepdim=True)
        if self._has_direction:
            bent = self.P * self.products
            direction = (bent - self.P * bent.sum(-1, keepdim=True)) @ self.v
            yield "direction", direction, direction
        if self._given.grad is None or self._given.grad_error is None:
            return
        dO = self._given.grad[self._b, self._heads][:, self._rows]
        dO_error = self._error(self._given.grad_error, (self._b, self._heads), self._rows)
        yield from self._gradients(dO, dO_error)

    def _gradients(self, dO: Tensor, dO_error: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
        P, P_error, scale = self.P, self.P_error, self.scale
        delta = (dO * self.O).sum(-1, keepdim=True)
        dS = P * (dO @ self.v.T - delta)
        steps = dO.abs() @ self.v.abs().T  # rounding of dP, then of delta
        steps = steps + (dO.abs() * (self.O_error + self.O.abs())).sum(-1, keepdim=True)
        steps = steps + (dO * self.O).abs().sum(-1, keepdim=True)
        steps = steps + self.tiny * (1 + dO.shape[-1])  # dP may underflow, and delta's D summands
        if dO_error.dim():
            steps = steps + dO_error @ self.v.abs().T + dO.abs() @ self.v_error.T
            steps = steps + (dO_error * self.O.abs()).sum(-1, keepdim=True)
        dS_error = P_error * (dO @ self.v.T - delta).abs() + P * steps + self.underflow
        if self.softcap is not None:
            dS_error = dS_error * self.slope + dS.abs() * self.slope_error
            dS = dS * self.slope
        q_bound = dS_error @ self.k.abs() + dS.abs() @ (self.k.abs() + self.k_error)
        k_bound = _over_group(dS_error, self.q.abs()) + _over_group(
            dS.abs(), self.q.abs() + self.q_error
        )
        v_bound = _over_group(P_error, dO.abs()) + _over_group(P, dO.abs() + dO_error)
        of_rows = self.underflow.amax(-1, keepdim=True)
        of_keys = self.underflow.amax(-2).reshape(-1, 1)
        yield "dq", scale * (dS @ self.k), scale * q_bound + of_rows
        yield "dk", scale * _over_group(dS, self.q), scale * k_bound + of_keys
        yield "dv", _over_group(P, dO), v_bound + of_keys


def has_direction(problem: Problem) -> bool:
    """Whether d out / d log(scale) tells of a scale: in half precision, without other roundings."""
    halved = problem.dtype in ("float16", "bfloat16")
    return halved and problem.bias.kind == "none" and problem.softcap is None


def _over_group(left: Tensor, right: Tensor) -> Tensor:
    """left^T right, summed over the query heads that share the key head: [keys, D]."""
    return torch.einsum("grk,grd->kd", left, right)
