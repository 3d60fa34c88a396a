"""From which batch on the output of a row has other bits. It is recorded and no fault.

Servers batch requests as they arrive. Where kernels choose another order of sums for another batch,
the answer to a request depends on the requests beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.agreement.attempts import Raised, attempt
from suites.agreement.calls import Caller
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, laid_out, make_inputs

BATCHES: Final = (1, 2, 4, 8)
"""Sizes of the batch whose first row is always the same."""


def differs_from(caller: Caller, problem: Problem, seed: int) -> int:
    """The first of BATCHES in which the first row's output has other bits; 0: none."""
    whole = _of_batch(problem, BATCHES[-1])
    inputs = make_inputs(whole, purpose="hard", seed=seed)
    alone = _first_row(caller, whole, inputs, BATCHES[0])
    others = (
        n for n in BATCHES[1:] if not torch.equal(_first_row(caller, whole, inputs, n), alone)
    )
    return next(others, 0)


def _of_batch(problem: Problem, batch: int) -> Problem:
    """The problem with this batch, forward; padding becomes a range of keys for each row."""
    mask = problem.mask
    if isinstance(mask.padding, tuple):
        mask = replace(mask, padding=(mask.padding * batch)[:batch])
    mask = mask.resolved(batch, problem.key_length)
    return replace(problem, batch=batch, mask=mask, training=False)


def _first_row(caller: Caller, whole: Problem, inputs: Inputs, batch: int) -> Tensor:
    """The output of the first row in a batch of this size, [1, Hq, Tq, Dv]."""
    problem = _of_batch(whole, batch)
    q, k, v = (laid_out(x[:batch], problem) for x in (inputs.q, inputs.k, inputs.v))
    with torch.no_grad():
        return caller.function(problem, replace(inputs, q=q, k=k, v=v))(q, k, v)[:1].clone()


def _find(trial: Trial) -> str:
    """An implementation may refuse other batches by an exception: then it is not tested."""
    found = attempt(lambda: differs_from(trial.prober, trial.problem, trial.case.seed))
    trial.equal_bits.batch_differs_from = None if isinstance(found, Raised) else found
    return ""


PROBE = Probe(
    order=160,
    # A packed batch has one batch row.
    applies=lambda trial: trial.case.is_plain_small and trial.problem.mask.rows is None,
    find=_find,
    other_forms=True,
)
