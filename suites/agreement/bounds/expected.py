"""Reference values with rounding bounds, and the query rows that are compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ulp
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from impls.interface.rows import ends
from suites.measure.inputs import Inputs

NAMES: Final = ("out", "dq", "dk", "dv")
"""The tensors of a call, in order; a forward call has the first one only."""
ROWS_OF_QUERIES: Final = ("out", "dq")
"""Tensors with one row per query. These are compared on the sampled rows only."""
ALL_ROWS_UP_TO = 1 << 23
"""Score entries, over all heads, up to which every query row is compared in float64. The float64
reference of 2^23 entries takes some tenths of a second."""
EDGE = 128
"""Rows on both sides of every multiple of this are always sampled: kernels work in such blocks."""
DRAWN_ROWS: Final = 64
"""Rows that are sampled at random, besides the edges."""


@dataclass(frozen=True, slots=True)
class NaiveError:
    """The error of the naive formula when all of it is computed in half precision.

    rms        RMS error of the whole tensor, plus one rounding of the tensor
    worst_row  the largest ratio of a row's RMS error to its spread; 0 where no spread is known
    """

    rms: float
    worst_row: float


@dataclass(slots=True, eq=False)
class Expected:
    """Reference values and bounds, by tensor: out, and dq, dk, dv in training.

    rows       the query rows that `out` and `dq` hold; None is all of them
    direction  d out / d log(scale), shaped like `out`; only in half precision, and only without
               a bias, softcap or sink, whose own roundings point the same way
    spreads    for attention, one number a row: the RMS of the rounding error when the sign of
               every rounding is random
    naive      the naive formula's error in half precision; empty where it is not compared
    """

    values: dict[str, Tensor]
    bounds: dict[str, Tensor]
    rows: Tensor | None = None
    direction: Tensor | None = None
    spreads: dict[str, Tensor] = field(default_factory=dict)
    naive: dict[str, NaiveError] = field(default_factory=dict)

    def fits(self, dtype: str) -> bool:
        """Whether every value is in the dtype's range: unnormalised sums exceed float16's."""
        largest = torch.finfo(getattr(torch, dtype)).max
        return all(bool((value.abs() <= largest).all()) for value in self.values.values())

    def compared(self, name: str, tensor: Tensor) -> Tensor:
        """The rows of an implementation's tensor that are compared, in float64."""
        wide = tensor.detach().double()
        if self.rows is not None and name in ROWS_OF_QUERIES:
            wide = wide[:, :, self.rows.to(wide.device)]
        return wide

    def row_shares(self, name: str, got: Tensor) -> Tensor:
        """RMS(error) of every row over its spread; 0 where the spread is 0."""
        spread = self.spreads[name]
        error = (got - self.values[name]).square().mean(-1).sqrt()
        return torch.where(spread > 0, error / spread.clamp_min(ulp(0.0)), 0.0)


def sampled_rows(problem: Problem, seed: int) -> Tensor | None:
    """The query rows to compare: None (all) for small problems, a sorted sample for large ones.

    The sample always holds the first row, the last row, and both sides of every block and window
    edge.
    """
    length = problem.query_length
    if problem.visible_pairs * problem.query_heads <= ALL_ROWS_UP_TO:
        return None
    edges = {0, length - 1}
    edges |= {edge + side for edge in range(EDGE, length, EDGE) for side in (-1, 0)}
    for width in filter(None, (problem.mask.left, problem.mask.right)):
        edges |= {width - 1, width, width + 1, length - width - 1, length - width}
    if problem.mask.rows is not None:
        edges |= {end + side for end in ends(problem.mask.rows)[0] for side in (-1, 0)}
    order = torch.randperm(length, generator=torch.Generator().manual_seed(seed))
    drawn = order[:DRAWN_ROWS].tolist()
    return torch.tensor(sorted(row for row in {*edges, *drawn} if 0 <= row < length))


def with_gradient_of_rows(inputs: Inputs, rows: Tensor | None) -> Inputs:
    """The inputs with the output's gradient set to zero outside `rows`: dk and dv stay exact."""
    if inputs.grad is None or rows is None:
        return inputs
    kept = torch.zeros(inputs.grad.shape[2], dtype=torch.bool)
    kept[rows] = True
    grad = inputs.grad.clone()
    grad[:, :, ~kept.to(grad.device)] = 0
    return replace(inputs, grad=grad)
