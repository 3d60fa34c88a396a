"""The float64 answer to a problem, and beside it how far rounding may carry an honest one.

The bound is first order: what one rounding in the problem's dtype at every step of the textbook
formula can add up to. Its terms follow the steps: scores, softmax, weights times values, and their
gradients. Everything is counted in units of u, half the dtype's epsilon, and multiplied by it once.

Below the smallest normal number a rounding is no longer relative: it is off by up to u times that
number, whatever the value. float16 has such numbers among its gradients; without this term the last
rounding alone took honest ones to 3.7 times the bound in 60 draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from math import ulp

import torch
from torch import Tensor

from impls import reference
from impls.interface import BiasValues, Mask, Problem, Projections
from suites.measure.inputs import Inputs

BLOCK_ENTRIES, BLOCK_ROWS = 1 << 22, 256
"""Score entries and query rows worked on at a time; few rows see a short run under a window."""
ALL_ROWS_UP_TO = 1 << 23
"""Score entries up to which every query row is compared."""
EDGE = 128
"""Rows on both sides of every multiple of this are always among the sampled ones."""


@dataclass(slots=True, eq=False)
class Expected:
    """Reference values and bounds, by tensor: out, and dq, dk, dv in training.

    rows       the query rows that `out` and `dq` hold; None is all of them
    direction  in half precision, of attention without a bias or softcap, whose own roundings point
               the same way: d out / d log(scale), shaped like `out`
    textbook   in half precision, by tensor: the RMS that the textbook formula is off by when all of
               it is computed in that precision, and one rounding more; empty where it is not asked
    """

    values: dict[str, Tensor]
    bounds: dict[str, Tensor]
    rows: Tensor | None = None
    direction: Tensor | None = None
    textbook: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Given:
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


def sampled_rows(problem: Problem, seed: int) -> Tensor | None:
    """The query rows to compare: None (all) for small problems, a sorted sample for large ones.

    Always among them: the first, the last, and both sides of every block and window edge.
    """
    length = problem.query_length
    if problem.visible_pairs * problem.query_heads <= ALL_ROWS_UP_TO:
        return None
    edges = {0, length - 1}
    edges |= {edge + side for edge in range(EDGE, length, EDGE) for side in (-1, 0)}
    reaches = (problem.mask.left, problem.mask.right)
    for reach in (r for r in reaches if r):
        edges |= {reach - 1, reach, reach + 1, length - reach - 1, length - reach}
    drawn = torch.randperm(length, generator=torch.Generator().manual_seed(seed))[:64].tolist()
    return torch.tensor(sorted(row for row in {*edges, *drawn} if 0 <= row < length))


def without_other_rows(inputs: Inputs, rows: Tensor | None) -> Inputs:
    """The same inputs with the output's gradient zero outside `rows`: dk and dv stay exact."""
    if inputs.grad is not None and rows is not None:
        kept = torch.zeros(inputs.grad.shape[2], dtype=torch.bool)
        kept[rows] = True
        inputs.grad[:, :, ~kept.to(inputs.grad.device)] = 0
    return inputs


def expect(
    problem: Problem,
    inputs: Inputs,
    *,
    rows: Tensor | None,
    projections: Projections | None = None,
) -> Expected:
    """The reference's answer and its bounds, for attention or for a layer around it.

    projections  weights of the layer: q, k and v are merged over heads and multiplied by them
                 before attention, and its output after
    """
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    q, k, v = (x.detach().double() for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else inputs.grad.double()
    wide = replace(inputs, q=q, k=k, v=v, grad=grad)
    weights = None
    if projections is not None:
        widths = (problem.query_heads * problem.head_dim, problem.key_heads * problem.head_dim)
        weights = [w.to(wide.q.device) for w in projections(*widths)]
    given = _plain(wide) if weights is None else _projected(wide, weights)
    given.bias, given.sink = inputs.bias, inputs.sink
    answer = _attend(problem, given, rows)
    direction, _ = answer.pop("direction", (None, None))
    if weights is not None:
        answer, direction = _projected_back(answer, weights), None
    return Expected(
        values={name: value for name, (value, _) in answer.items()},
        bounds={name: _in_units(bound, unit) for name, (_, bound) in answer.items()},
        rows=rows,
        direction=direction,
    )


def _in_units(bound: Tensor, unit: float) -> Tensor:
    """A bound times u, and never nothing where it is something.

    Half a step of the smallest numbers is what underflow may add; in float64 half a step is zero.
    """
    return torch.where(bound > 0, (unit * bound).clamp_min(ulp(0.0)), 0.0)


def _plain(x: Inputs) -> _Given:
    zero = torch.zeros((), dtype=torch.float64, device=x.q.device)
    return _Given(x.q, x.k, x.v, x.grad, zero, zero, zero, None if x.grad is None else zero)


def _projected(x: Inputs, weights: list[Tensor]) -> _Given:
    """The inputs of the attention inside a layer, and what their projection may have added."""
    into_q, into_k, into_v, onto_out = weights
    q, q_error = _times(x.q, into_q)
    k, k_error = _times(x.k, into_k)
    v, v_error = _times(x.v, into_v)
    if x.grad is None:
        return _Given(q, k, v, None, q_error, k_error, v_error, None)
    grad, grad_error = _times(x.grad, onto_out.T)
    return _Given(q, k, v, grad, q_error, k_error, v_error, grad_error)


def _projected_back(
    answer: dict[str, tuple[Tensor, Tensor]], weights: list[Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    into_q, into_k, into_v, onto_out = weights
    after = {"out": onto_out, "dq": into_q.T, "dk": into_k.T, "dv": into_v.T}
    found = {}
    for name, (value, bound) in answer.items():
        product_, rounding = _times(value, after[name])
        carried = _merged_times(bound.square(), after[name].square()).sqrt()
        found[name] = (product_, rounding + carried)
    return found


def _times(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Heads merged, multiplied by a weight and split again; and its rounding error.

    Errors of many summands add as their squares: summed as they are, they would hide a scale that
    is 0.1 % off behind the width of a layer.
    """
    product_ = _merged_times(x, weight)
    spread = _merged_times(x.square(), weight.square()).sqrt()
    return product_, spread + product_.abs()


def _merged_times(x: Tensor, weight: Tensor) -> Tensor:
    batch, heads, length, dim = x.shape
    merged = x.transpose(1, 2).reshape(batch, length, heads * dim) @ weight
    return merged.reshape(batch, length, heads, dim).transpose(1, 2)


def _attend(
    problem: Problem, given: _Given, rows: Tensor | None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Values and bounds (in units of u) of every tensor, a block of scores at a time."""
    all_rows = torch.arange(problem.query_length) if rows is None else rows
    all_rows = all_rows.to(given.q.device)
    names = ["out"] if given.grad is None else ["out", "dq", "dk", "dv"]
    queries = given.q[:, :, all_rows]
    out = queries.new_empty(()).expand(*queries.shape[:-1], problem.value_size)
    like = {"out": out, "dq": queries, "dk": given.k, "dv": given.v, "direction": out}
    if _has_direction(problem):
        names.append("direction")
    found = {name: (torch.zeros_like(like[name]), torch.zeros_like(like[name])) for name in names}
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    group = problem.query_heads // problem.key_heads
    step = max(1, min(BLOCK_ROWS, BLOCK_ENTRIES // (group * problem.key_length)))
    blocks = product(range(problem.batch), range(problem.key_heads), range(0, len(all_rows), step))
    for b, key_head, first in blocks:
        places = slice(first, first + step)
        heads = slice(key_head * group, (key_head + 1) * group)
        block = _Block(problem, mask, given, b, key_head, heads, all_rows[places])
        for name, value, bound in block.answers():
            of_keys = name in ("dk", "dv")
            into = (b, key_head, block.keys) if of_keys else (b, heads, places)
            found[name][0][into] += value
            found[name][1][into] += bound
    return found


class _Block:
    """Attention of some query rows of the heads that share a key head, with its rounding bounds.

    Names follow the formula: S scores, P weights, O output; shapes are [group, rows, keys or D].
    """

    def __init__(
        self,
        problem: Problem,
        mask: Mask,
        given: _Given,
        b: int,
        key_head: int,
        heads: slice,
        rows: Tensor,
    ) -> None:
        self._given, self._rows, self._b, self._heads = given, rows, b, heads
        self._has_direction = _has_direction(problem)
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


def _has_direction(problem: Problem) -> bool:
    halved = problem.dtype in ("float16", "bfloat16")
    return halved and problem.bias.kind == "none" and problem.softcap is None


def _over_group(left: Tensor, right: Tensor) -> Tensor:
    """left^T right, summed over the query heads that share the key head: [keys, D]."""
    return torch.einsum("grk,grd->kd", left, right)
