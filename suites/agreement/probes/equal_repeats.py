"""Which tensors have the same bits in ten calls on the same inputs. It is recorded and no fault."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies

REPEATS: Final = 10
"""Calls whose bits are compared."""
MOST_MS: Final = 200.0
"""Time of ten calls on the problem itself, in ms; longer calls are made on the small problem."""


def differing(made: tuple[Tensor, ...], others: list[tuple[Tensor, ...]]) -> tuple[str, ...]:
    """The names of tensors that are not the same bit for bit in all other results."""
    return tuple(
        name
        for place, (name, first) in enumerate(zip(NAMES, made, strict=False))
        if not all(torch.equal(first, each[place]) for each in others)
    )


def _applies(trial: Trial) -> bool:
    short = min(trial.caller.took_ms) * REPEATS <= MOST_MS
    return trial.case.is_plain_small or (trial.case.is_problem_itself and short)


def _find(trial: Trial) -> str:
    call = trial.prober.call(trial.problem, copies(trial.case.inputs))
    made = tuple(x.clone() for x in call())
    trial.equal_bits.differing = differing(made, [call() for _ in range(REPEATS - 1)])
    trial.equal_bits.repeats = REPEATS
    return ""


PROBE = Probe(order=150, applies=_applies, find=_find)
