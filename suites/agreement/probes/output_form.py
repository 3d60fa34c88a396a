"""The outputs have the right shape, dtype, device and memory format, and no NaN or inf."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs


def malformed(made: Sequence[Tensor], inputs: Inputs) -> str:
    """The first output of a wrong form, as text; empty: none."""
    out_shape = (*inputs.q.shape[:3], inputs.v.shape[3])
    shapes = (out_shape, inputs.q.shape, inputs.k.shape, inputs.v.shape)
    for name, tensor, shape in zip(NAMES, made, shapes, strict=False):
        if tensor.shape != shape:
            return f"{name} has shape {list(tensor.shape)}, expected {list(shape)}"
        if tensor.dtype != inputs.q.dtype:
            return f"{name} is {tensor.dtype}, expected {inputs.q.dtype}"
        if tensor.device != inputs.q.device:
            return f"{name} is on {tensor.device}, expected {inputs.q.device}"
        if tensor.layout != torch.strided:
            return f"{name} is {tensor.layout}, expected a dense tensor (torch.strided)"
        finite = torch.isfinite(tensor)
        if not finite.all():
            at = [int(i) for i in (~finite).nonzero()[0]]
            return f"{name} is {float(tensor[tuple(at)])} at {at}, expected a finite number"
    return ""


def _find(trial: Trial) -> str:
    return malformed(trial.outputs, trial.case.inputs)


PROBE = Probe(order=10, applies=lambda _: True, find=_find)
