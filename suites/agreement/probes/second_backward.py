"""A second backward pass through the same graph returns the same gradients.

An exception is no fault: a graph may refuse to be used twice.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from suites.agreement.attempts import Raised, attempt
from suites.agreement.probes.interleaved_calls import fault_unless_equal
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies


def _applies(trial: Trial) -> bool:
    wanted = trial.case.is_plain_small and trial.problem.training
    return wanted and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    made = attempt(partial(_second, trial))
    if isinstance(made, Raised):
        return ""
    fault = fault_unless_equal(trial, made)
    return f"in a second backward pass (retain_graph=True), {fault}" if fault else ""


def _second(trial: Trial) -> tuple[Tensor, ...]:
    """The output, and the gradients of the second of two backward passes."""
    given = copies(trial.case.inputs)
    leaves = [x.detach().requires_grad_() for x in (given.q, given.k, given.v)]
    out = trial.prober.function(trial.problem, given)(*leaves)
    settings = {"retain_graph": True, "materialize_grads": True}
    torch.autograd.grad(out, leaves, given.grad, **settings)
    return (out.detach(), *torch.autograd.grad(out, leaves, given.grad, **settings))


PROBE = Probe(order=134, applies=_applies, find=_find)
