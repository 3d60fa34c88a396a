"""Rounding through the projections of a layer: into the attention inside it, and out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, unflatten

from suites.agreement.bounds.blockwise import BoundedTensor, InputsWithErrors
from suites.measure.inputs import Inputs

BASE: Final = 10_000.0
"""Of the wavelengths of positions (arXiv 1706.03762, section 3.5)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer around attention.

    into_q, into_k, into_v, onto_out  projections, in float64
    positions                         its encoding of positions: none, rotary or sinusoidal
    first                             the position of the first query; the first key's is 0
    """

    into_q: Tensor
    into_k: Tensor
    into_v: Tensor
    onto_out: Tensor
    positions: str
    first: int


def project_inputs(x: Inputs, layer: Layer, tiny: float) -> InputsWithErrors:
    """The inputs of the attention inside a layer, with the rounding of their projection.

    tiny  the smallest normal number of the problem's dtype
    """
    q, q_error = _into(x.q, layer.into_q, layer, layer.first, tiny)
    k, k_error = _into(x.k, layer.into_k, layer, 0, tiny)
    v, v_error = _into(x.v, layer.into_v, layer, 0, tiny)
    if layer.positions == "rotary":
        q, q_error = turned(q, q_error, _positions(x.q, layer.first))
        k, k_error = turned(k, k_error, _positions(x.k, 0))
    if x.grad is None:
        return InputsWithErrors(q, k, v, None, q_error, k_error, v_error, None)
    grad, grad_error = _projected(x.grad, layer.onto_out.T, tiny)
    return InputsWithErrors(q, k, v, grad, q_error, k_error, v_error, grad_error)


def project_outputs(
    tensors: dict[str, BoundedTensor], layer: Layer, tiny: float, rows: Tensor | None
) -> dict[str, BoundedTensor]:
    """The layer's tensors from those of the attention inside it, with their bounds.

    rows  the query rows of `out` and `dq`; None is all
    """
    after = {
        "out": layer.onto_out,
        "dq": layer.into_q.T,
        "dk": layer.into_k.T,
        "dv": layer.into_v.T,
    }
    found = {}
    for name, part in tensors.items():
        inner, bound = part.value, part.bound
        if layer.positions == "rotary" and name in ("dq", "dk"):
            first, chosen = (layer.first, rows) if name == "dq" else (0, None)
            inner, bound = turned(inner, bound, -_positions(inner, first, chosen))
        value, rounding = _projected(inner, after[name], tiny)
        carried = _root_sum_of_squares(bound, after[name])
        found[name] = BoundedTensor(value, rounding + carried, part.spread)
    return found


def turned(x: Tensor, error: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Rotary embeddings (arXiv 2104.09864) as complex numbers, with errors in units of u.

    x          [B, H, T, D]; pairs of adjacent features are turned by the angles of their position
    positions  [T]

    Each entry sums two products of a rounded sine or cosine.
    """
    angles = _angles(positions, x.shape[3])
    pairs = torch.view_as_complex(unflatten(x, -1, (-1, 2)).contiguous())
    value = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(3)
    carried = _absolute(error + 2 * x.abs(), angles)
    return value, carried + value.abs()


def _absolute(x: Tensor, angles: Tensor) -> Tensor:
    """The sums of a rotation without signs: a bound of its errors."""
    cos, sin = angles.cos().abs(), angles.sin().abs()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos + odd * sin, even * sin + odd * cos), -1).flatten(3)


def _into(
    x: Tensor, weight: Tensor, layer: Layer, first: int, tiny: float
) -> tuple[Tensor, Tensor]:
    """Inputs projected into the layer, after the sinusoids of their positions."""
    if layer.positions != "sinusoidal":
        return _projected(x, weight, tiny)
    waves = _sinusoids(_positions(x, first), x.shape[1] * x.shape[3])
    added = unflatten(waves, -1, (x.shape[1], x.shape[3])).transpose(0, 1)
    value, rounding = _projected(x + added, weight, tiny)
    return value, rounding + _root_sum_of_squares((x + added).abs() + added.abs(), weight)


def _sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sines and cosines of positions [T], in turn (arXiv 1706.03762, section 3.5): [T, width]."""
    angles = _angles(positions, width)
    features = torch.arange(width, device=positions.device)
    every = angles[:, features // 2]
    return torch.where(features % 2 == 0, every.sin(), every.cos())


def _angles(positions: Tensor, width: int) -> Tensor:
    """Angles of positions [T] for each pair of features: [T, width / 2], rounded up."""
    pairs = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    return positions[:, None].double() / BASE ** (pairs / width)


def _positions(x: Tensor, first: int, rows: Tensor | None = None) -> Tensor:
    """The positions of the rows of a tensor, or of the rows that it holds."""
    chosen = torch.arange(x.shape[2]) if rows is None else rows
    return (chosen + first).to(x.device)


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
