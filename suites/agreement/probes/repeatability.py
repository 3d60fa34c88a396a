"""Whether a second call on the same inputs returns the same bits. It is recorded and no fault."""

from __future__ import annotations

import torch

from suites.agreement.probes.mask_readout import is_readable
from suites.agreement.trial import Probe, Trial


def _applies(trial: Trial) -> bool:
    """Also on the problem itself if not long, where only perturbation examines the mask."""
    if not trial.case.is_problem_itself:
        return trial.case.is_plain_small
    only_perturbed = trial.implementation.reference is not None and not is_readable(
        trial.implementation, trial.problem
    )
    return trial.is_quick or (only_perturbed and not trial.is_long)


def _find(trial: Trial) -> str:
    function, given = trial.prober.function(trial.problem, trial.inputs), trial.inputs
    with torch.no_grad():
        again = function(given.q, given.k, given.v).clone()
        repeatable = torch.equal(again, trial.outputs[0])
        if not repeatable and trial.problem.training:  # forward alone may take other kernels
            repeatable = torch.equal(again, function(given.q, given.k, given.v))
    trial.repeatable = repeatable
    trial.forward_output = again if repeatable else None
    return ""


PROBE = Probe(order=40, applies=_applies, find=_find)
