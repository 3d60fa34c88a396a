"""What the textbook formula itself is off by when all of it is computed in half precision.

The rounding bound is first order and wide there: gradients of zero can pass it. An answer may be
off by twice as much as the textbook's, in the mean, and no more; and no row by a few times more
than the textbook's worst, both beside what rounding adds to that row where it points anywhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.block import Scores, places
from suites.agreement.expected import Expected, Textbook
from suites.measure.inputs import Inputs

ROWS: Final = 64
"""It takes so many: the mean of a few that one weight's rounding sets can be small by chance. An
honest gradient of 8 rows with 2 keys was off by 2.28 times the textbook's."""


def beside_textbook(problem: Problem, inputs: Inputs, expected: Expected) -> Expected:
    """What is expected, with what the textbook is off by where the problem is in half precision."""
    if problem.dtype not in ("float16", "bfloat16"):
        return expected
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    for name, tensor in _answers(problem, inputs, expected).items():
        value = expected.values[name]
        off = (tensor - value).square().mean().sqrt()
        allowed = float(off + unit * value.square().mean().sqrt())
        # Nothing can be told where it is exactly zero and the textbook hits it.
        if allowed and value[..., 0].numel() >= ROWS:
            worst = float(expected.row_shares(name, tensor).max())
            expected.textbook[name] = Textbook(allowed, worst)
    return expected


def _answers(problem: Problem, inputs: Inputs, expected: Expected) -> dict[str, Tensor]:
    """The tensors that are expected, as the textbook has them; in float64."""
    found = {name: torch.zeros_like(value) for name, value in expected.values.items()}
    leaves = [x.detach().requires_grad_(problem.training) for x in (inputs.q, inputs.k, inputs.v)]
    given = replace(inputs, q=leaves[0], k=leaves[1], v=leaves[2])
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    every = torch.arange(problem.query_length) if expected.rows is None else expected.rows
    rows = every.to(inputs.q.device)
    for place, run in places(problem, rows):
        b, _, heads, at = place
        out = Scores(problem, mask, given, place).O
        found["out"][b, heads, run] = out.detach().double()
        if inputs.grad is not None:
            grads = torch.autograd.grad(out, leaves, inputs.grad[b, heads][:, at])
            dq, dk, dv = (x.double() for x in grads)
            found["dq"] += dq[:, :, rows]
            found["dk"] += dk
            found["dv"] += dv
    return found
