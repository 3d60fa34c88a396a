"""The float64 answer to a problem, and beside it how far rounding may carry an honest one.

The bound is first order: what one rounding in the problem's dtype at every step of the textbook
formula can add up to. Its terms follow the steps: scores, softmax, weights times values, and their
gradients. Everything is counted in units of u, half the dtype's epsilon, and multiplied by it once.

Below the smallest normal number a rounding is no longer relative: it is off by up to u times that
number, whatever the value. float16 has such numbers among its gradients; without this term the last
rounding alone took honest ones to 3.7 times the bound in 60 draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ulp

import torch
from torch import Tensor

from impls.interface import Problem, Projections
from suites.agreement.block import Block, Given, Portion, has_direction, places
from suites.measure.inputs import Inputs

ALL_ROWS_UP_TO = 1 << 23
"""Score entries up to which every query row is compared."""
EDGE = 128
"""Rows on both sides of every multiple of this are always among the sampled ones."""


@dataclass(frozen=True, slots=True)
class Textbook:
    """What the textbook formula is off by when all of it is computed in half precision.

    rms        of the whole tensor, and one rounding more
    worst_row  of the row that is off by most beside its spread; 0 where nothing is told by that
    """

    rms: float
    worst_row: float


@dataclass(slots=True, eq=False)
class Expected:
    """Reference values and bounds, by tensor: out, and dq, dk, dv in training.

    rows       the query rows that `out` and `dq` hold; None is all of them
    direction  in half precision, of attention without a bias, softcap or sink, whose own roundings
               point the same way: d out / d log(scale), shaped like `out`
    spreads    of attention: a number a row, the RMS of what rounding adds where it points anywhere
    textbook   in half precision; empty where it is not asked
    """

    values: dict[str, Tensor]
    bounds: dict[str, Tensor]
    rows: Tensor | None = None
    direction: Tensor | None = None
    spreads: dict[str, Tensor] = field(default_factory=dict)
    textbook: dict[str, Textbook] = field(default_factory=dict)

    def row_shares(self, name: str, got: Tensor) -> Tensor:
        """RMS(error) of every row of a tensor over its spread; 0 where that is nothing."""
        spread = self.spreads[name]
        off = (got - self.values[name]).square().mean(-1).sqrt()
        return torch.where(spread > 0, off / spread.clamp_min(ulp(0.0)), 0.0)


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
    if inputs.grad is None or rows is None:
        return inputs
    kept = torch.zeros(inputs.grad.shape[2], dtype=torch.bool)
    kept[rows] = True
    grad = inputs.grad.clone()
    grad[:, :, ~kept.to(grad.device)] = 0
    return replace(inputs, grad=grad)


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
    kind = torch.finfo(getattr(torch, problem.dtype))
    unit, tiny = kind.eps / 2, kind.smallest_normal
    q, k, v = (x.detach().double() for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else inputs.grad.double()
    wide = replace(inputs, q=q, k=k, v=v, grad=grad)
    weights = None
    if projections is not None:
        widths = (problem.query_heads * problem.head_dim, problem.key_heads * problem.head_dim)
        weights = [w.to(wide.q.device) for w in projections(*widths)]
    given = _plain(wide) if weights is None else _projected(wide, weights, tiny)
    given.bias, given.sink = inputs.bias, inputs.sink
    answer = _attend(problem, given, rows)
    direction = answer.pop("direction", None)
    spreads = {name: unit * part.spread.sqrt() for name, part in answer.items()}
    if weights is not None:
        answer, direction, spreads = _projected_back(answer, weights, tiny), None, {}
    return Expected(
        values={name: part.value for name, part in answer.items()},
        bounds={name: _in_units(part.bound, part.value, unit) for name, part in answer.items()},
        rows=rows,
        direction=None if direction is None else direction.value,
        spreads=spreads,
    )


def _in_units(bound: Tensor, value: Tensor, unit: float) -> Tensor:
    """A bound times u, and never nothing where it is something.

    Beside it u^2 of the tensor's mean size, which first order leaves out: a weight that is less
    than that of the largest may be taken for none, and its key's gradients are then nothing. Half a
    step of the smallest numbers is what underflow may add; in float64 half a step is zero.
    """
    second = unit**2 * value.abs().mean()
    return torch.where(bound > 0, (unit * bound + second).clamp_min(ulp(0.0)), 0.0)


def _plain(x: Inputs) -> Given:
    zero = torch.zeros((), dtype=torch.float64, device=x.q.device)
    return Given(x.q, x.k, x.v, x.grad, zero, zero, zero, None if x.grad is None else zero)


def _projected(x: Inputs, weights: list[Tensor], tiny: float) -> Given:
    """The inputs of the attention inside a layer, and what their projection may have added."""
    into_q, into_k, into_v, onto_out = weights
    q, q_error = _times(x.q, into_q, tiny)
    k, k_error = _times(x.k, into_k, tiny)
    v, v_error = _times(x.v, into_v, tiny)
    if x.grad is None:
        return Given(q, k, v, None, q_error, k_error, v_error, None)
    grad, grad_error = _times(x.grad, onto_out.T, tiny)
    return Given(q, k, v, grad, q_error, k_error, v_error, grad_error)


def _projected_back(
    answer: dict[str, Portion], weights: list[Tensor], tiny: float
) -> dict[str, Portion]:
    into_q, into_k, into_v, onto_out = weights
    after = {"out": onto_out, "dq": into_q.T, "dk": into_k.T, "dv": into_v.T}
    found = {}
    for name, part in answer.items():
        product_, rounding = _times(part.value, after[name], tiny)
        carried = _spread(part.bound, after[name])
        found[name] = Portion(product_, rounding + carried, part.spread)
    return found


def _times(x: Tensor, weight: Tensor, tiny: float) -> tuple[Tensor, Tensor]:
    """Heads merged, multiplied by a weight and split again; and its rounding error.

    Errors of many summands add as their squares: summed as they are, they would hide a scale that
    is 0.1 % off behind the width of a layer. Every summand may underflow, too.

    tiny  the smallest normal number
    """
    product_ = _merged_times(x, weight)
    underflow = tiny * len(weight) ** 0.5 * (x.abs().amax((1, 3), keepdim=True) > 0)
    return product_, _spread(x, weight) + product_.abs() + underflow


def _spread(x: Tensor, weight: Tensor) -> Tensor:
    """What errors of x's size come to in its product with a weight, added up as their squares.

    Row by row beside the largest of the row: squares of numbers below 1e-154 would be none.
    """
    largest = x.abs().amax((1, 3), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    return largest * _merged_times((x / largest).square(), weight.square()).sqrt()


def _merged_times(x: Tensor, weight: Tensor) -> Tensor:
    batch, heads, length, dim = x.shape
    merged = x.transpose(1, 2).reshape(batch, length, heads * dim) @ weight
    return merged.reshape(batch, length, heads, dim).transpose(1, 2)


def _attend(problem: Problem, given: Given, rows: Tensor | None) -> dict[str, Portion]:
    """Every tensor of the answer, a block of scores at a time."""
    all_rows = torch.arange(problem.query_length) if rows is None else rows
    all_rows = all_rows.to(given.q.device)
    names = ["out"] if given.grad is None else ["out", "dq", "dk", "dv"]
    queries = given.q[:, :, all_rows]
    out = queries.new_empty(()).expand(*queries.shape[:-1], problem.value_size)
    like = {"out": out, "dq": queries, "dk": given.k, "dv": given.v, "direction": out}
    if has_direction(problem):
        names.append("direction")
    found = {name: _nothing_like(like[name]) for name in names}
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    for place, run in places(problem, all_rows):
        b, key_head, heads, _ = place
        block = Block(problem, mask, given, place)
        for name, part in block.answers():
            of_keys = name in ("dk", "dv")
            into = (b, key_head, block.keys) if of_keys else (b, heads, run)
            found[name].value[into] += part.value
            found[name].bound[into] += part.bound
            found[name].spread[into] += part.spread
    return found


def _nothing_like(x: Tensor) -> Portion:
    return Portion(torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x[..., 0]))
