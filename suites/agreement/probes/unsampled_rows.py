"""Query rows that were not sampled are right, too: compared with a plain float32 result.

Above 2^23 score entries the float64 reference and its bounds cover sampled rows only. A plain
float32 result of all rows takes a hundredth of their time. Up to 2^27 entries no other row may
differ from it by more than a few times what sampled rows do. In training the gradients of one more
call, with the full gradient of the output, are compared likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.bounds.blockwise import Scores, blocks
from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.bounds.expected import NAMES, Expected
from suites.agreement.cases import Case
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, copies

ENTRIES: Final = 1 << 27
"""Score entries, over all heads, up to which every row is compared: about 1 s on two cores."""
ALLOWED: Final = 2.0
"""RMS error of a row over the largest bound of a sampled row. Honest rows came to 0.3 at most."""
HALF_PRECISION_ALLOWED: Final = 8.0
"""In half precision, a row's relative error over the largest of the sampled rows."""
GRADIENTS_ALLOWED: Final = 16.0
"""The same for a row of dq, dk or dv. Honest rows came to 7.2 at most in 755 training calls of 120
draws, in a row of dq with few visible keys."""
SMALL_ROW: Final = 1e-3
"""A row's RMS counts as at least this part of the whole tensor's."""


def covers(problem: Problem, implementation: Implementation, rows: Tensor | None) -> bool:
    """Whether rows were sampled, all of them are affordable, and it computes attention exactly."""
    entries = problem.visible_pairs * problem.query_heads
    return rows is not None and entries <= ENTRIES and claims_exact_attention(implementation)


def plain_tensors(problem: Problem, inputs: Inputs) -> tuple[Tensor, ...]:
    """Attention of every row in float32, [B, Hq, Tq, Dv], and in training dq, dk and dv."""
    training = inputs.grad is not None
    leaves = [x.detach().float().requires_grad_(training) for x in (inputs.q, inputs.k, inputs.v)]
    given = replace(inputs, q=leaves[0], k=leaves[1], v=leaves[2], grad=None)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    out = leaves[0].new_empty(*inputs.q.shape[:3], problem.value_size)
    gradients = [torch.zeros_like(x) for x in leaves] if training else []
    rows = torch.arange(problem.query_length, device=out.device)
    for block, at in blocks(problem, rows):
        made = Scores(problem, mask, given, block).O.flatten(1, 2)
        out[block.batch, block.heads, at] = made.detach()
        if inputs.grad is not None:
            onto = inputs.grad[block.batch, block.heads, at].float()
            parts = torch.autograd.grad(made, leaves, onto)
            for whole, part in zip(gradients, parts, strict=True):
                whole.add_(part)
    return (out, *gradients)


def output_fault(made: Tensor, plain: Tensor, expected: Expected) -> str:
    """The row of the output that differs most, as text; empty: all are within the tolerance."""
    rows = None if expected.rows is None else expected.rows.to(plain.device)
    errors = _row_rms(made.detach().float() - plain)
    sizes = _row_rms(plain).clamp_min(SMALL_ROW * float(plain.square().mean().sqrt()))
    if made.dtype.itemsize < plain.dtype.itemsize:  # bounds are wide: compare with sampled rows
        shares = errors / sizes
        allowed = HALF_PRECISION_ALLOWED * float(shares[:, :, rows].max())
    else:
        coarser = torch.finfo(plain.dtype).eps / torch.finfo(made.dtype).eps
        shares = errors / float(_row_rms(expected.bounds["out"]).max())
        allowed = ALLOWED * coarser  # for float64 outputs: the float32 result's own error
    if float(shares.max()) <= allowed:
        return ""
    at, many = _worst(shares, allowed)
    b, head, row = at
    return (
        f"out is wrong in query row {row} (of {many} such; batch row {b}, head {head}): its RMS "
        f"error, {float(errors[at]):.3g}, is {float(shares[at]) / allowed:.3g} times what sampled "
        "rows allow"
    )


def gradient_fault(
    made: Sequence[Tensor], sampled: Sequence[Tensor], plain: Sequence[Tensor], expected: Expected
) -> str:
    """The row of a gradient that differs most, as text; empty: all are within the tolerance.

    made     (out, dq, dk, dv) with the full gradient of the output
    sampled  the same with a gradient of zero outside the sampled rows; it agrees with `expected`
    plain    the float32 tensors, like `made`

    The tolerance is a multiple of the largest error of a sampled row, in `sampled` or `plain`.
    """
    rows = None if expected.rows is None else expected.rows.to(made[0].device)
    errors = [
        float(_relative_errors(expected.compared(n, x), expected.values[n]).max())
        for n, x in _named_gradients(sampled)
    ]
    errors.append(
        float(_relative_errors(plain[1][:, :, rows].double(), expected.values["dq"]).max())
    )
    allowed = GRADIENTS_ALLOWED * max(errors)
    for (name, got), right in zip(_named_gradients(made), plain[1:], strict=True):
        shares = _relative_errors(got.detach().float(), right)
        if not float(shares.max()) <= allowed:  # also where it is NaN
            at, many = _worst(shares, allowed)
            return (
                f"{name} is wrong at {list(at)} (of {many} such rows), with the full gradient of "
                f"the output: its RMS error is {float(shares[at]):.3g} times its size "
                f"({allowed:.3g} allowed by the sampled rows)"
            )
    return ""


def _named_gradients(made: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    return zip(NAMES[1:], made[1:], strict=True)


def _relative_errors(got: Tensor, right: Tensor) -> Tensor:
    """RMS error of every row over its size or the whole tensor's; 0 where it should be near zero.

    A row that is the difference of equal numbers holds rounding errors only.
    """
    sizes, whole = _row_rms(right), float(right.square().mean().sqrt())
    errors = _row_rms(got - right) / sizes.clamp_min(whole)
    return torch.where(sizes > SMALL_ROW * whole, errors, 0.0)


def _worst(shares: Tensor, allowed: float) -> tuple[tuple[int, ...], int]:
    """The batch row, head and row of the largest share, and the number of rows above allowed."""
    place = np.unravel_index(int(shares.argmax()), tuple(shares.shape))
    return tuple(int(i) for i in place), int((shares > allowed).any(0).any(0).sum())


def _row_rms(x: Tensor) -> Tensor:
    return x.square().mean(-1).sqrt()


def _covers(case: Case, implementation: Implementation) -> bool:
    return case.is_problem_itself and covers(case.problem, implementation, case.expected.rows)


def _prepare(case: Case, implementation: Implementation) -> None:
    if not case.every_row and _covers(case, implementation):
        case.every_row = plain_tensors(case.problem, case.whole)


def _find(trial: Trial) -> str:
    case, made = trial.case, trial.outputs
    _prepare(case, trial.implementation)
    fault = output_fault(made[0], case.every_row[0], case.expected)
    if fault or not case.problem.training:
        return fault
    full = trial.caller.call(case.problem, copies(case.whole))()
    return gradient_fault(full, made, case.every_row, case.expected)


PROBE = Probe(
    order=100,
    applies=lambda trial: _covers(trial.case, trial.implementation),
    find=_find,
    prepare=_prepare,
)
