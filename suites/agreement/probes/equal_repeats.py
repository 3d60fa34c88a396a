"""Which tensors have the same bits in ten calls on the same inputs. It is recorded and no fault."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES
from suites.agreement.calls import Caller
from suites.agreement.hard_inputs import accepts, kind_of
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies, make_inputs

REPEATS: Final = 10
"""Calls whose bits are compared."""
MOST_MS: Final = 200.0
"""Time of ten calls on the problem itself, in ms. Longer ones are made on the small problem."""


def differing(made: tuple[Tensor, ...], others: list[tuple[Tensor, ...]]) -> tuple[str, ...]:
    """The names of tensors that are not the same bit for bit in all other results."""
    return tuple(
        name
        for place, (name, first) in enumerate(zip(NAMES, made, strict=False))
        if not all(torch.equal(first, each[place]) for each in others)
    )


def _applies(trial: Trial) -> bool:
    if not trial.case.is_problem_itself:
        return False
    return _is_short(trial) or accepts(trial.implementation, kind_of(trial.problem))


def _is_short(trial: Trial) -> bool:
    return min(trial.caller.took_ms) * REPEATS <= MOST_MS


def _find(trial: Trial) -> str:
    problem, inputs = trial.problem, trial.case.inputs
    if not _is_short(trial):
        problem = kind_of(problem)
        inputs = make_inputs(problem, purpose="hard", seed=trial.case.seed)
    # Times of these calls are not those of the problem, so they have a list of their own.
    call = Caller(trial.implementation, trial.prober.guard).call(problem, copies(inputs))
    made = tuple(x.clone() for x in call())
    trial.differing = differing(made, [call() for _ in range(REPEATS - 1)])
    trial.repeats = REPEATS
    return ""


PROBE = Probe(order=150, applies=_applies, find=_find)
