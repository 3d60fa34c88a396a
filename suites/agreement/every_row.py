"""Every query row of a large problem, in float32: for a fault in rows that were not drawn.

Above 2^23 score entries the float64 reference and its bounds are of sampled rows. A plain answer in
float32 takes a hundredth of their time, so that up to 2^27 entries all other rows are held against
it: by what no sampled row may be off by.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.block import Scores, places
from suites.agreement.expected import Expected
from suites.measure.inputs import Inputs

ENTRIES: Final = 1 << 27
"""Score entries, over all heads, up to which every row is held."""
ALLOWED: Final = 2.0
"""RMS of a row's error over the largest bound of a sampled row. Honest rows came to 0.3 at most."""
TIMES: Final = 8.0
"""In half precision, a row's relative error over the largest of the sampled rows."""
LEAST_SIZE: Final = 1e-3
"""A row counts as this part of the whole at least."""


def asked(problem: Problem, implementation: Implementation, rows: Tensor | None) -> bool:
    """Whether rows were sampled, and few enough are there to hold all; attention alone has them."""
    entries = problem.visible_pairs * problem.query_heads
    return rows is not None and entries <= ENTRIES and implementation.panel == "attention"


def plain(problem: Problem, inputs: Inputs) -> Tensor:
    """Attention of every row, [B, Hq, Tq, Dv] in float32."""
    q, k, v = (x.detach().float() for x in (inputs.q, inputs.k, inputs.v))
    given = Inputs(q, k, v, None, inputs.bias, inputs.sink)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    out = q.new_empty(*q.shape[:3], problem.value_size)
    for place, run in places(problem, torch.arange(problem.query_length, device=q.device)):
        b, _, heads, _ = place
        out[b, heads, run] = Scores(problem, mask, given, place).O
    return out


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


def _rms(x: Tensor) -> Tensor:
    return x.square().mean(-1).sqrt()
