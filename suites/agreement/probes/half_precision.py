"""In half precision, the error is no larger than that of the naive formula allows.

The rounding bound is wide in half precision: gradients of zero can pass it.
"""

from __future__ import annotations

from suites.agreement.gate import naive_fault
from suites.agreement.trial import Probe, Trial


def _applies(trial: Trial) -> bool:
    return bool(trial.case.expected.naive) and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    return naive_fault(trial.outputs, trial.case.expected)


PROBE = Probe(order=90, applies=_applies, find=_find)
