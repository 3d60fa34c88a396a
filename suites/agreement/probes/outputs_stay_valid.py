"""The output of a call still holds its values after further calls.

An implementation that reuses its output buffer in a later call is wrong.
"""

from __future__ import annotations

import torch

from suites.agreement.trial import Probe, Trial


def _applies(trial: Trial) -> bool:
    return trial.case.is_problem_itself or trial.case.is_plain_small


def _find(trial: Trial) -> str:
    if trial.out is None or torch.equal(trial.outputs[0], trial.out):
        return ""
    return "its output was overwritten by a later call"


PROBE = Probe(order=60, applies=_applies, find=_find)
