"""In half precision, no scale of the scores and no tensor is slightly too large or too small.

The rounding bound is wide there: a scale that is 0.1 % off passes it, and so does a tensor that is
1 % too large. Rounding errors have random signs, these faults have one direction. So the error is
projected on that direction, over all outputs, weighted by 1 / bound^2. Errors are correlated along
a row, so the standard error counts rows, not elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.bounds.expected import NAMES, Expected
from suites.agreement.hard_inputs import OUTPUTS
from suites.agreement.trial import Probe, Trial

STANDARD_ERRORS: Final = 3.0
"""Standard errors of the projection that are added to the tolerance."""
MANY_STANDARD_ERRORS: Final = 6.0
"""The same where one standard error exceeds the tolerance: among thousands of checks three are not
rare. A fault of every row is larger by the root of the number of rows."""
NEGLIGIBLE: Final = 1e-12
"""Mean square of a direction over the bound that is float64's own rounding."""
SLOPE_ALLOWED: Final = 3e-4
"""Relative error of the scale, besides standard errors. Honest implementations came to 1e-4 at
most; a scale that is 0.1 % off gives 1e-3."""
GAIN_ALLOWED: Final = 0.6
"""Relative error of a whole tensor, in units of u, besides standard errors. Honest tensors came to
0.22 in 3,145 checks: bfloat16 and float16, six kinds of mask, two biases, head dimensions of 8 to
160, and sums in unusual order. With a softcap of 5 it was 0.49. With a bias and a scale of 1 the
naive formula's was 1.5: a bias is rounded alike in all batch rows. Those are not judged."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The part of an error along one direction, as a multiple of that direction.

    standard_error  of the value, over rows
    allowed         tolerance besides standard errors
    weight          how much of the weighted error it explains
    message         with the share in place of {}
    """

    value: float
    standard_error: float
    allowed: float
    weight: float
    message: str

    @property
    def fault(self) -> str:
        """The fault as text; empty: none."""
        few = self.standard_error <= self.allowed
        times = STANDARD_ERRORS if few else MANY_STANDARD_ERRORS
        allowed = self.allowed + times * self.standard_error
        if abs(self.value) <= allowed:
            return ""
        side = "large" if self.value > 0 else "small"
        share = f"{abs(self.value):.2%} too {side}"
        return f"{self.message.format(share)} ({allowed:.2%} allowed)"


def scale_slope(out: Tensor, expected: Expected) -> Projection | None:
    """The part of the error along d out / d log(scale).

    None where outputs are too few, or where the direction is unknown or negligible: with one key
    per query the output does not depend on the scale.
    """
    if expected.direction is None or expected.direction.numel() < OUTPUTS:
        return None
    message = "out is wrong: it is the output for a scale {}"
    return _projection("out", out, expected, expected.direction, SLOPE_ALLOWED, message)


def gains(made: Sequence[Tensor], expected: Expected) -> Iterator[Projection]:
    """In half precision, the part of each tensor's error along the tensor itself."""
    for name, tensor in zip(NAMES, made, strict=False):
        value = expected.values[name]
        if tensor.dtype in (torch.float16, torch.bfloat16) and value.numel() >= OUTPUTS:
            allowed = GAIN_ALLOWED * torch.finfo(tensor.dtype).eps / 2
            message = f"{name} is wrong: the whole tensor is {{}}"
            if found := _projection(name, tensor, expected, value, allowed, message):
                yield found


def largest_fault(*projections: Projection | None) -> str:
    """The fault that explains most of the error, as text; empty: none."""
    found = [each for each in projections if each is not None and each.fault]
    return max(found, key=lambda each: each.weight).fault if found else ""


def _projection(
    name: str, tensor: Tensor, expected: Expected, direction: Tensor, allowed: float, message: str
) -> Projection | None:
    """The part of a tensor's error along a direction; None along a negligible one."""
    error = expected.compared(name, tensor) - expected.values[name]
    bound = expected.bounds[name]
    along = torch.where(bound > 0, bound, torch.inf).pow(-2) * direction
    whole = float((along * direction).sum())
    if whole < NEGLIGIBLE * direction.numel():
        return None
    rows = (along * error).sum(-1) / whole
    value = float(rows.sum())
    standard_error = float(rows.square().sum().sqrt())
    return Projection(value, standard_error, allowed, value**2 * whole, message)


def _applies(trial: Trial) -> bool:
    """Exact attention only, and only without other roundings that have one direction.

    These are a softcap, a sink, a bias together with a scale, and scores of some hundreds.
    """
    problem = trial.problem
    if problem.softcap is not None or problem.sink or trial.case.has_extreme_scores:
        return False
    if problem.bias.kind != "none" and problem.scale:
        return False
    return claims_exact_attention(trial.implementation)


def _find(trial: Trial) -> str:
    slope = scale_slope(trial.outputs[0], trial.case.expected)
    trial.scale_slope = None if slope is None else slope.value
    return largest_fault(slope, *gains(trial.outputs, trial.case.expected))


PROBE = Probe(order=110, applies=_applies, find=_find)
