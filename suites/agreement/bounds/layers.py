"""Rounding through the projections of a layer: into the attention inside it, and out again."""

from __future__ import annotations

import torch
from torch import Tensor

from suites.agreement.bounds.blockwise import BoundedTensor, InputsWithErrors
from suites.measure.inputs import Inputs

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Projections of q, k, v and the output, in float64."""


def project_inputs(x: Inputs, weights: Weights, tiny: float) -> InputsWithErrors:
    """The inputs of the attention inside a layer, with the rounding of their projection.

    tiny  the smallest normal number of the problem's dtype
    """
    into_q, into_k, into_v, onto_out = weights
    q, q_error = _projected(x.q, into_q, tiny)
    k, k_error = _projected(x.k, into_k, tiny)
    v, v_error = _projected(x.v, into_v, tiny)
    if x.grad is None:
        return InputsWithErrors(q, k, v, None, q_error, k_error, v_error, None)
    grad, grad_error = _projected(x.grad, onto_out.T, tiny)
    return InputsWithErrors(q, k, v, grad, q_error, k_error, v_error, grad_error)


def project_outputs(
    tensors: dict[str, BoundedTensor], weights: Weights, tiny: float
) -> dict[str, BoundedTensor]:
    """The layer's tensors from those of the attention inside it, with their bounds."""
    into_q, into_k, into_v, onto_out = weights
    after = {"out": onto_out, "dq": into_q.T, "dk": into_k.T, "dv": into_v.T}
    found = {}
    for name, part in tensors.items():
        value, rounding = _projected(part.value, after[name], tiny)
        carried = _root_sum_of_squares(part.bound, after[name])
        found[name] = BoundedTensor(value, rounding + carried, part.spread)
    return found


def _projected(x: Tensor, weight: Tensor, tiny: float) -> tuple[Tensor, Tensor]:
    """Heads merged, multiplied by a weight and split again; and its rounding error in units of u.

    The errors of the summands add up as their squares. Their plain sum grows with the width of a
    layer and would hide a scale that is 0.1 % off. Every summand may underflow.
    """
    value = _merged_product(x, weight)
    underflow = tiny * len(weight) ** 0.5 * (x.abs().amax((1, 3), keepdim=True) > 0)
    return value, _root_sum_of_squares(x, weight) + value.abs() + underflow


def _root_sum_of_squares(x: Tensor, weight: Tensor) -> Tensor:
    """Errors of x's size after the product with a weight: the root of the sum of squares.

    Each row is divided by its largest entry first: squares of numbers below 1e-154 underflow.
    """
    largest = x.abs().amax((1, 3), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    return largest * _merged_product((x / largest).square(), weight.square()).sqrt()


def _merged_product(x: Tensor, weight: Tensor) -> Tensor:
    batch, heads, length, dim = x.shape
    merged = x.transpose(1, 2).reshape(batch, length, heads * dim) @ weight
    return merged.reshape(batch, length, heads, dim).transpose(1, 2)
