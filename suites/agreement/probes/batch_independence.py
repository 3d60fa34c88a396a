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
from suites.agreement.calls import Caller
from suites.agreement.hard_inputs import accepts, kind_of
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, laid_out, make_inputs

BATCHES: Final = (1, 2, 4, 8)
"""Sizes of the batch whose first row is always the same."""


def differs_from(trial: Trial) -> int:
    """The first of BATCHES in which the first row's output has other bits; 0: none."""
    whole = _small(trial.problem, BATCHES[-1])
    inputs = make_inputs(whole, purpose="hard", seed=trial.case.seed)
    caller = Caller(trial.implementation, trial.prober.guard)
    alone = _first_row(caller, whole, inputs, BATCHES[0])
    others = (
        n for n in BATCHES[1:] if not torch.equal(_first_row(caller, whole, inputs, n), alone)
    )
    return next(others, 0)


def _small(problem: Problem, batch: int) -> Problem:
    """The small problem with this batch, forward; padding becomes a range of keys for each row."""
    small = replace(kind_of(problem), batch=batch, training=False)
    return replace(small, mask=small.mask.resolved(batch, small.key_length))


def _first_row(caller: Caller, whole: Problem, inputs: Inputs, batch: int) -> Tensor:
    """The output of the first row in a batch of this size, [1, Hq, Tq, Dv]."""
    mask = whole.mask
    if isinstance(mask.padding, tuple):
        mask = replace(mask, padding=mask.padding[:batch])
    problem = replace(whole, batch=batch, mask=mask)
    q, k, v = (laid_out(x[:batch], problem) for x in (inputs.q, inputs.k, inputs.v))
    with torch.no_grad():
        return caller.function(problem, replace(inputs, q=q, k=k, v=v))(q, k, v)[:1].clone()


def _applies(trial: Trial) -> bool:
    if not trial.case.is_problem_itself:
        return False
    return accepts(trial.implementation, _small(trial.problem, BATCHES[-1]))


def _find(trial: Trial) -> str:
    trial.batch_differs_from = differs_from(trial)
    return ""


PROBE = Probe(order=160, applies=_applies, find=_find)
