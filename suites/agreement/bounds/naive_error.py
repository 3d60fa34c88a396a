"""The error of the naive formula when all of it is computed in half precision.

The first-order rounding bound is wide in half precision: gradients of zero can pass it. So an
implementation's error is also compared with the naive formula's own error: twice its RMS, and a few
times its worst row relative to the spread of that row.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.bounds.blockwise import Scores, blocks
from suites.agreement.bounds.expected import Expected, NaiveError
from suites.measure.inputs import Inputs

ROWS: Final = 64
"""Rows that a stable RMS needs. In fewer rows one rounded weight can set it: the gradient of an
honest implementation, 8 rows with 2 keys, had 2.28 times the naive RMS."""


def add_naive_error(problem: Problem, inputs: Inputs, expected: Expected) -> None:
    """Store the naive formula's error where the problem is in half precision.

    Nothing is stored for a tensor where the formula itself gives inf or NaN: on inputs with large
    values its intermediate products exceed float16's range.
    """
    if problem.dtype not in ("float16", "bfloat16"):
        return
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    for name, tensor in _naive_tensors(problem, inputs, expected).items():
        value = expected.values[name]
        error = (tensor - value).square().mean().sqrt()
        rms = float(error + unit * value.square().mean().sqrt())
        # A tensor that is exactly zero, and zero in the naive formula, has no error to compare.
        if rms and isfinite(rms) and value[..., 0].numel() >= ROWS:
            worst = float(expected.row_shares(name, tensor).max())
            expected.naive[name] = NaiveError(rms, worst)


def _naive_tensors(problem: Problem, inputs: Inputs, expected: Expected) -> dict[str, Tensor]:
    """The expected tensors computed by the naive formula in the problem's dtype, as float64."""
    found = {name: torch.zeros_like(value) for name, value in expected.values.items()}
    leaves = [x.detach().requires_grad_(problem.training) for x in (inputs.q, inputs.k, inputs.v)]
    given = replace(inputs, q=leaves[0], k=leaves[1], v=leaves[2])
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    every = torch.arange(problem.query_length) if expected.rows is None else expected.rows
    rows = every.to(inputs.q.device)
    for block, at in blocks(problem, rows):
        out = Scores(problem, mask, given, block).O.flatten(1, 2)
        found["out"][block.batch, block.heads, at] = out.detach().double()
        if inputs.grad is not None:
            onto = inputs.grad[block.batch, block.heads][:, :, block.rows]
            dq, dk, dv = (x.double() for x in torch.autograd.grad(out, leaves, onto))
            found["dq"] += dq[:, :, rows]
            found["dk"] += dk
            found["dv"] += dv
    return found
