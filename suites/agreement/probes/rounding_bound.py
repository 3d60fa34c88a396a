"""The error of every output is within the rounding bound. Approximations are not judged."""

from __future__ import annotations

from suites.agreement.gate import bound_fault
from suites.agreement.trial import Probe, Trial


def _find(trial: Trial) -> str:
    return bound_fault(trial.outputs, trial.case.expected, trial.errors)


PROBE = Probe(order=80, applies=lambda trial: not trial.implementation.approximates, find=_find)
