"""The output is the same in inference mode, without gradients, and where inputs require them.

An exception is no fault: a forward-only function may refuse inputs that require a gradient.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from suites.agreement.attempts import Raised, attempt
from suites.agreement.gate import judge
from suites.agreement.probes.output_form import malformed
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import copies

Mode = Callable[[], contextlib.AbstractContextManager[Any]]
MODES: Final[dict[str, Mode]] = {
    "under torch.inference_mode()": torch.inference_mode,
    "under torch.no_grad()": torch.no_grad,
    "with inputs that require a gradient": torch.enable_grad,
}
"""How calls are made, by the words of a message."""


def _applies(trial: Trial) -> bool:
    return trial.case.is_plain_small and not trial.implementation.approximates


def _find(trial: Trial) -> str:
    usual = torch.enable_grad if trial.problem.training else torch.no_grad
    for words, mode in MODES.items():
        if mode is usual:
            continue
        out = attempt(partial(_output, trial, mode))
        if not isinstance(out, Raised) and (fault := _fault(trial, out)):
            return f"{words}, {fault}"
    return ""


def _fault(trial: Trial, out: Tensor) -> str:
    if torch.equal(out, trial.outputs[0]):
        return ""
    return malformed([out], trial.inputs) or judge([out], trial.case.expected)[1]


def _output(trial: Trial, mode: Mode) -> Tensor:
    with mode():
        given = copies(trial.case.inputs)
        for x in (given.q, given.k, given.v):
            x.requires_grad_(mode is torch.enable_grad)
        function = trial.prober.function(trial.problem, given)
        return function(given.q, given.k, given.v).detach()


PROBE = Probe(order=138, applies=_applies, find=_find)
