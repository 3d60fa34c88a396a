"""Reference values of attention in float64, with a derived first-order rounding bound.

The bound sums up one rounding in the problem's dtype at every step of the formula: scores, softmax,
weights times values, and their gradients (Higham, Accuracy and Stability of Numerical Algorithms).
It is counted in units of u, half the dtype's epsilon, and multiplied by u once.

Below the smallest normal number a rounding error is absolute: up to u times that number. float16
gradients hold such numbers. Without this term honest gradients reached 3.7 times the bound in 60
draws.
"""

from __future__ import annotations

from dataclasses import replace
from math import ulp
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem, Projections
from suites.agreement.bounds.blockwise import (
    BoundedBlock,
    BoundedTensor,
    InputsWithErrors,
    blocks,
    has_direction,
)
from suites.agreement.bounds.expected import Expected
from suites.agreement.bounds.layers import Layer, project_inputs, project_outputs
from suites.measure.inputs import Inputs

DROPPED: Final = 1e-20
"""Weights below this may be set to zero in every dtype; in float64 it is above u^2."""
OF_A_MAXIMUM: Final = 0.25
"""The least bound of dq and dk, over RMS(bound) of a row of dq or of all of dk. A maximum that
includes hidden keys has a gradient of zero, but the rounding errors of a row sum up to another
number, which goes to one key. Honest errors were 2.1 times RMS(bound) at most in 144 checks; 16
times this is accepted."""
SINGLE_UNIT: Final = torch.finfo(torch.float32).eps / 2
"""u of float32, in which kernels for half precision compute the softmax."""


def derived_bounds(
    problem: Problem,
    inputs: Inputs,
    *,
    rows: Tensor | None,
    projections: Projections | None = None,
    positions: str = "none",
) -> Expected:
    """Reference values and bounds of attention, or of a layer around it.

    rows         the query rows of `out` and `dq`; None is all. The output's gradient has to be zero
                 outside them
    projections  weights of the layer: q, k and v are merged over heads and multiplied by them
                 before attention, the output after it
    positions    the encoding of positions of the layer: none, rotary or sinusoidal
    """
    kind = torch.finfo(getattr(torch, problem.dtype))
    unit, tiny = kind.eps / 2, kind.smallest_normal
    q, k, v = (x.detach().double() for x in (inputs.q, inputs.k, inputs.v))
    grad = None if inputs.grad is None else inputs.grad.double()
    wide = replace(inputs, q=q, k=k, v=v, grad=grad)
    layer = None if projections is None else _layer(problem, projections, positions, q.device)
    given = _exact(wide) if layer is None else project_inputs(wide, layer, tiny)
    given.bias, given.sink = inputs.bias, inputs.sink
    tensors = _attention(problem, given, rows)
    direction = tensors.pop("direction", None)
    spreads = {name: unit * part.spread.sqrt() for name, part in tensors.items()}
    if layer is not None:
        tensors, direction, spreads = project_outputs(tensors, layer, tiny, rows), None, {}
    return Expected(
        values={name: part.value for name, part in tensors.items()},
        bounds={
            name: _bound_of(name, part, unit, problem.query_length)
            for name, part in tensors.items()
        },
        rows=rows,
        direction=None if direction is None else direction.value,
        spreads=spreads,
    )


def _layer(
    problem: Problem, projections: Projections, positions: str, device: torch.device
) -> Layer:
    widths = (problem.query_heads * problem.head_dim, problem.key_heads * problem.head_dim)
    into_q, into_k, into_v, onto_out = (weight.to(device) for weight in projections(*widths))
    first = problem.key_length - problem.query_length
    return Layer(into_q, into_k, into_v, onto_out, positions, first)


def _bound_of(name: str, part: BoundedTensor, unit: float, queries: int) -> Tensor:
    """The bound of a tensor, for dq and dk with the least bound of a maximum over hidden keys."""
    dropped = DROPPED * (queries if name in ("dk", "dv") else 1)  # each query may drop a weight
    bound = _times_unit(part.bound, part.value, unit, dropped)
    if name not in ("dq", "dk"):
        return bound
    share = OF_A_MAXIMUM * min(1.0, SINGLE_UNIT / unit)
    squares = bound.square()
    size = squares.mean() if name == "dk" else squares.mean(-1, keepdim=True)
    return torch.maximum(bound, share * size.sqrt())


def _times_unit(bound: Tensor, value: Tensor, unit: float, dropped: float) -> Tensor:
    """A bound in units of u, multiplied by u, with the second-order term.

    Differences below u^2 * mean(|tensor|) are always accepted: a weight below u^2 of its row's
    largest may be set to zero, and the gradients of its key are then zero. So may a weight below
    `dropped`. In float64 half a step of the smallest number is zero. So a bound that is not zero is
    at least one whole step.
    """
    second = max(unit**2, dropped) * value.abs().mean()
    return torch.where(bound > 0, (unit * bound + second).clamp_min(ulp(0.0)), 0.0)


def _exact(x: Inputs) -> InputsWithErrors:
    """Inputs of attention itself, which come without a rounding error."""
    zero = torch.zeros((), dtype=torch.float64, device=x.q.device)
    return InputsWithErrors(
        x.q, x.k, x.v, x.grad, zero, zero, zero, None if x.grad is None else zero
    )


def _attention(
    problem: Problem, given: InputsWithErrors, rows: Tensor | None
) -> dict[str, BoundedTensor]:
    """Every tensor of a call, computed one block of scores at a time."""
    all_rows = torch.arange(problem.query_length) if rows is None else rows
    all_rows = all_rows.to(given.q.device)
    names = ["out"] if given.grad is None else ["out", "dq", "dk", "dv"]
    queries = given.q[:, :, all_rows]
    out = queries.new_empty(()).expand(*queries.shape[:-1], problem.value_size)
    like = {"out": out, "dq": queries, "dk": given.k, "dv": given.v, "direction": out}
    if has_direction(problem):
        names.append("direction")
    found = {name: _zeros_like(like[name]) for name in names}
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    for block, at in blocks(problem, all_rows):
        bounded = BoundedBlock(problem, mask, given, block)
        for name, part in bounded.tensors():
            if name in ("dk", "dv"):
                found[name].add(part, (block.batch, block.key_heads, bounded.keys))
            else:
                found[name].add(part.of_heads(), (block.batch, block.heads, at))
    return found


def _zeros_like(x: Tensor) -> BoundedTensor:
    return BoundedTensor(torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x[..., 0]))
