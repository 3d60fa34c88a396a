"""What half precision hides from the bound, and a sum over all outputs shows.

The bound is wide there: a scale that is 0.1 % off passes it, and so does an answer 1 % too large.
Rounding points anywhere, and such a fault in one direction: the part of the error along it is
summed up over all outputs, weighed by the bound. Errors are shared along a row, so that rows count
when it comes to what chance makes of such a sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.expected import Expected
from suites.agreement.gate import NAMES, compared

OUTPUTS: Final = 100_000
"""It takes so many to tell."""
CHANCE: Final = 3.0
"""Standard errors that chance may add,"""
MUCH_CHANCE: Final = 6.0
"""and where one is more than all that is allowed: three are nothing rare in thousands of checks. A
fault of every row is as many of them as the root of the number of rows."""
NOTHING: Final = 1e-12
"""The square of a direction over the bound, in the mean, that is float64's own rounding."""
SLOPE_ALLOWED: Final = 3e-4
"""How far the scale of scores may lie off, relative, beside what chance does."""
GAIN_ALLOWED: Final = 0.6
"""How much too large or too small a tensor may be as a whole, in units of u, beside what chance
does. Honest answers and gradients came to 0.22 in 3,145 checks: bfloat16 and float16, six kinds of
mask, two biases, head dimensions of 8 to 160, and sums in unusual order. With a softcap of 5 it was
0.49, and with a bias and a scale of 1 the textbook's was 1.5: a bias is rounded alike in all batch
rows, and counts for more where few keys have the weight. So these are not judged."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The part of an error along one direction, as a multiple of that.

    chance   its standard error
    allowed  what it may be beside chance
    weight   how much of the weighed error it explains
    words    what a tensor of it would be: with the share in place of {}
    """

    value: float
    chance: float
    allowed: float
    weight: float
    words: str

    @property
    def fault(self) -> str:
        """What is wrong with it, in words; empty when nothing is."""
        errors = CHANCE if self.chance <= self.allowed else MUCH_CHANCE
        allowed = self.allowed + errors * self.chance
        if abs(self.value) <= allowed:
            return ""
        side = "large" if self.value > 0 else "small"
        share = f"{abs(self.value):.2%} too {side}"
        return f"{self.words.format(share)} ({allowed:.2%} allowed)"


def slope_of(out: Tensor, expected: Expected) -> Drift | None:
    """The part of the error along d out / d log(scale).

    None where the direction is not known or nothing to speak of, as where each query has one key,
    or where outputs are too few.
    """
    if expected.direction is None or expected.direction.numel() < OUTPUTS:
        return None
    words = "out is wrong: it is what a scale {} would give"
    return _drift("out", out, expected, expected.direction, SLOPE_ALLOWED, words)


def gains_of(made: Sequence[Tensor], expected: Expected) -> Iterator[Drift]:
    """In half precision the part of each error along the tensor itself, where outputs are many."""
    for name, tensor in zip(NAMES, made, strict=False):
        value = expected.values[name]
        if tensor.dtype in (torch.float16, torch.bfloat16) and value.numel() >= OUTPUTS:
            allowed = GAIN_ALLOWED * torch.finfo(tensor.dtype).eps / 2
            words = f"{name} is wrong: it is {{}} as a whole"
            if drift := _drift(name, tensor, expected, value, allowed, words):
                yield drift


def drift_of(
    implementation: Implementation, problem: Problem, made: Sequence[Tensor], expected: Expected
) -> tuple[Drift | None, str]:
    """The slope of what attention answers, and what is wrong with that or with its size, in words.

    Not of a layer, another function or an approximation, nor with a softcap or a sink, or with a
    bias beside another scale than the usual one: their own roundings point the same way, too.
    """
    bent = problem.softcap is not None or problem.sink
    alike = bent or (problem.bias.kind != "none" and problem.scale)
    if implementation.panel != "attention" or alike:
        return None, ""
    slope = slope_of(made[0], expected)
    return slope, fault_of(slope, *gains_of(made, expected))


def fault_of(*drifts: Drift | None) -> str:
    """The fault that explains most of the error, in words; empty when there is none."""
    found = [each for each in drifts if each is not None and each.fault]
    return max(found, key=lambda each: each.weight).fault if found else ""


def _drift(
    name: str, tensor: Tensor, expected: Expected, direction: Tensor, allowed: float, words: str
) -> Drift | None:
    """The part of a tensor's error along a direction; None along one that is nothing."""
    error = compared(tensor, name, expected) - expected.values[name]
    bound = expected.bounds[name]
    along = torch.where(bound > 0, bound, torch.inf).pow(-2) * direction
    whole = float((along * direction).sum())
    if whole < NOTHING * direction.numel():
        return None
    rows = (along * error).sum(-1) / whole
    value = float(rows.sum())
    chance = float(rows.square().sum().sqrt())
    return Drift(value, chance, allowed, value**2 * whole, words)
