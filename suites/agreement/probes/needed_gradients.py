"""A gradient of one of q, k and v alone equals its gradient among all three."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from suites.agreement.attempts import Raised, attempt
from suites.agreement.gate import judge
from suites.agreement.probes.output_form import malformed
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs, copies


def _applies(trial: Trial) -> bool:
    wanted = trial.case.is_plain_small and trial.problem.training
    return wanted and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    for place, name in enumerate("qkv"):
        made = attempt(partial(_made, trial, place))
        if not isinstance(made, Raised) and (fault := _fault(trial, place, *made)):
            return f"where {name} alone needs a gradient, {fault}"
    return ""


def _fault(trial: Trial, place: int, out: Tensor, gradient: Tensor | None) -> str:
    """The fault of the output or of one gradient where no other is needed."""
    if gradient is None:
        return f"d{'qkv'[place]} is missing: the output does not require a gradient"
    made = list(trial.outputs)
    made[0], made[1 + place] = out, gradient
    if all(torch.equal(x, y) for x, y in zip(made, trial.outputs, strict=True)):
        return ""
    return malformed(made, trial.inputs) or judge(made, trial.case.expected)[1]


def _made(trial: Trial, place: int) -> tuple[Tensor, Tensor | None]:
    """The output and this gradient; None where the output requires no gradient."""
    given = copies(trial.case.inputs)
    leaf, out = _forward(trial, given, place)
    if not out.requires_grad:
        return out, None
    (gradient,) = torch.autograd.grad(out, [leaf], given.grad, materialize_grads=True)
    return out.detach(), gradient


def _forward(trial: Trial, given: Inputs, place: int) -> tuple[Tensor, Tensor]:
    leaves = [given.q.detach(), given.k.detach(), given.v.detach()]
    leaves[place].requires_grad_()
    return leaves[place], trial.prober.function(trial.problem, given)(*leaves)


PROBE = Probe(order=132, applies=_applies, find=_find)
