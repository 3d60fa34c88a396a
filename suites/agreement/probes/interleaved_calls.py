"""Gradients stay right when calls are interleaved, as in a network of two layers.

Gradients must keep their values after another call. Another forward call between forward and
backward must not change them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES
from suites.agreement.gate import judge
from suites.agreement.probes.output_form import malformed
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies


def fault_unless_equal(trial: Trial, made: Sequence[Tensor]) -> str:
    """The fault of a further result for the trial's numbers; mostly it is equal bit for bit."""
    if all(torch.equal(x, y) for x, y in zip(made, trial.outputs, strict=True)):
        return ""
    return malformed(made, trial.inputs) or judge(made, trial.case.expected)[1]


def _applies(trial: Trial) -> bool:
    wanted = trial.case.is_plain_small or (trial.case.is_problem_itself and not trial.is_long)
    return wanted and trial.problem.training and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    gradients = [x.clone() for x in trial.outputs[1:]]
    others = copies(trial.case.inputs)
    others.q.neg_()
    others.v.neg_()
    trial.prober.call(trial.problem, others)()
    for name, now, before in zip(NAMES[1:], trial.outputs[1:], gradients, strict=True):
        if not torch.equal(now, before):
            return f"its {name} was overwritten by a later call"
    call = trial.prober.call(trial.problem, copies(trial.case.inputs), between=others)
    fault = fault_unless_equal(trial, call())
    return f"with another call between forward and backward, {fault}" if fault else ""


PROBE = Probe(order=130, applies=_applies, find=_find)
