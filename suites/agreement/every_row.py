"""Every query row of a large problem, in float32: for a fault in rows that were not drawn.

Above 2^23 score entries the float64 reference and its bounds are of sampled rows. A plain answer in
float32 takes a hundredth of their time, so that up to 2^27 entries all other rows are held against
it: by what no sampled row may be off by. In training so are the gradients of a call whose output's
gradient is zero nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.block import Scores, places
from suites.agreement.expected import Expected
from suites.agreement.gate import NAMES, compared
from suites.measure.inputs import Inputs

ENTRIES: Final = 1 << 27
"""Score entries, over all heads, up to which every row is held."""
ALLOWED: Final = 2.0
"""RMS of a row's error over the largest bound of a sampled row. Honest rows came to 0.3 at most."""
TIMES: Final = 8.0
"""In half precision, a row's relative error over the largest of the sampled rows."""
OF_GRADIENTS: Final = 16.0
"""The same of a row of dq, dk or dv. Honest ones came to 7.2 in 755 training calls of 120 draws, in
a row of dq that sees few keys."""
LEAST_SIZE: Final = 1e-3
"""A row counts as this part of the whole at least."""


def asked(problem: Problem, implementation: Implementation, rows: Tensor | None) -> bool:
    """Whether rows were sampled, and few enough are there to hold all; attention alone has them."""
    entries = problem.visible_pairs * problem.query_heads
    return rows is not None and entries <= ENTRIES and implementation.panel == "attention"


def plain(problem: Problem, inputs: Inputs) -> tuple[Tensor, ...]:
    """Attention of every row in float32, [B, Hq, Tq, Dv], and in training dq, dk and dv."""
    training = inputs.grad is not None
    leaves = [x.detach().float().requires_grad_(training) for x in (inputs.q, inputs.k, inputs.v)]
    given = replace(inputs, q=leaves[0], k=leaves[1], v=leaves[2], grad=None)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    out = leaves[0].new_empty(*inputs.q.shape[:3], problem.value_size)
    gradients = [torch.zeros_like(x) for x in leaves] if training else []
    rows = torch.arange(problem.query_length, device=out.device)
    for place, run in places(problem, rows):
        b, _, heads, _ = place
        made = Scores(problem, mask, given, place).O
        out[b, heads, run] = made.detach()
        if inputs.grad is not None:
            onto = inputs.grad[b, heads, run].float()
            parts = torch.autograd.grad(made, leaves, onto)
            for whole, part in zip(gradients, parts, strict=True):
                whole.add_(part)
    return (out, *gradients)


def fault(made: Tensor, answer: Tensor, expected: Expected) -> str:
    """The row that is off by most, in words, where it is off by more than a sampled one may be."""
    rows = None if expected.rows is None else expected.rows.to(answer.device)
    errors = _rms(made.detach().float() - answer)
    sizes = _rms(answer).clamp_min(LEAST_SIZE * float(answer.square().mean().sqrt()))
    if made.dtype.itemsize < answer.dtype.itemsize:  # bounds are wide there: as the others are off
        shares = errors / sizes
        allowed = TIMES * float(shares[:, :, rows].max())
    else:
        coarser = torch.finfo(answer.dtype).eps / torch.finfo(made.dtype).eps
        shares = errors / float(_rms(expected.bounds["out"]).max())
        allowed = ALLOWED * coarser  # the plain answer is off by that much, too
    if float(shares.max()) <= allowed:
        return ""
    b, head, row = (int(i) for i in np.unravel_index(int(shares.argmax()), tuple(shares.shape)))
    many = int((shares > allowed).any(0).any(0).sum())
    return (
        f"out is wrong in query row {row} (of {many} such; batch row {b}, head {head}): its RMS "
        f"error, {float(errors[b, head, row]):.3g}, is {float(shares[b, head, row]) / allowed:.3g} "
        "times what is allowed by the rows that were drawn"
    )


def gradients_fault(
    made: Sequence[Tensor], sampled: Sequence[Tensor], answer: Sequence[Tensor], expected: Expected
) -> str:
    """The row of a gradient that is off by most, in words, where that is too much.

    made     (out, dq, dk, dv) where the output's gradient is zero nowhere
    sampled  the same where it is zero outside the sampled rows, which agrees with what is expected
    answer   the plain one, like `made`

    Too much is some times what any row of `sampled` is off by, or any sampled row of `answer`.
    """
    rows = None if expected.rows is None else expected.rows.to(made[0].device)
    off = [
        float(_off(compared(x, n, expected), expected.values[n]).max()) for n, x in _named(sampled)
    ]
    off.append(float(_off(answer[1][:, :, rows].double(), expected.values["dq"]).max()))
    allowed = OF_GRADIENTS * max(off)
    for (name, got), right in zip(_named(made), answer[1:], strict=True):
        shares = _off(got.detach().float(), right)
        if not float(shares.max()) <= allowed:  # no number is none of these
            place = np.unravel_index(int(shares.argmax()), tuple(shares.shape))
            b, head, row = (int(i) for i in place)
            many = int((shares > allowed).any(0).any(0).sum())
            return (
                f"{name} is wrong at {[b, head, row]} (of {many} such rows), where the output's "
                f"gradient is zero nowhere: its RMS error is {float(shares[b, head, row]):.3g} "
                f"times its size ({allowed:.3g} allowed by the rows that were drawn)"
            )
    return ""


def _named(made: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The gradients among these, by name."""
    return zip(NAMES[1:], made[1:], strict=True)


def _off(got: Tensor, right: Tensor) -> Tensor:
    """RMS(error) of every row over its size, or the mean size; 0 where it should be next to none.

    Rounding alone makes a row that is the difference of equal numbers.
    """
    sizes, whole = _rms(right), float(right.square().mean().sqrt())
    return torch.where(sizes > LEAST_SIZE * whole, _rms(got - right) / sizes.clamp_min(whole), 0.0)


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(-1).sqrt()
