"""An observation: what an implementation returned on a small case, to be explained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from impls import reference
from impls.interface import BiasValues, Problem
from suites.agreement.bounds.expected import NAMES
from suites.agreement.cases import Case
from suites.agreement.gate import judge
from suites.agreement.probes.output_form import malformed
from suites.measure.inputs import Inputs

BETTER: Final = 10.0
"""A mistake explains an output whose error to the mistake is this many times smaller than its error
to the reference."""
BOUNDS, ROUNDINGS = 16.0, 64.0
"""Allowed error to a mistake: in RMS of the rounding bound, or in roundings u of the output's RMS.
The bound is that of the right output; larger scores have larger errors."""
HALF_ROUNDINGS: Final = 16.0
"""The same in half precision, where the bound is too wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """The outputs of a case with all that they depend on, on the CPU.

    inputs    in float64
    made      the outputs as they were returned
    values    the reference's, by tensor
    bounds    the rounding bounds, by tensor
    is_wrong  whether the outputs are of a wrong form or exceed their bounds
    """

    problem: Problem
    inputs: Inputs
    made: tuple[Tensor, ...]
    values: dict[str, Tensor]
    bounds: dict[str, Tensor]
    is_wrong: bool

    @property
    def seen(self) -> Tensor:
        """The visible pairs, [B, 1, Tq, Tk]."""
        mask = self.problem.mask.resolved(self.problem.batch, self.problem.key_length)
        rows = torch.arange(self.problem.batch)
        return reference.visible(mask, rows, self.positions, self.keys)

    @property
    def positions(self) -> Tensor:
        """Of the queries on the keys' axis, [Tq]."""
        offset = self.problem.key_length - self.problem.query_length
        return torch.arange(self.problem.query_length) + offset

    @property
    def keys(self) -> Tensor:
        """Positions of the keys, [Tk]."""
        return torch.arange(self.problem.key_length)

    @property
    def unit(self) -> float:
        """Half of the dtype's epsilon."""
        return torch.finfo(self.dtype).eps / 2

    @property
    def dtype(self) -> torch.dtype:
        """The problem's dtype."""
        found: torch.dtype = getattr(torch, self.problem.dtype)
        return found

    @property
    def out(self) -> Tensor:
        """The output in float64."""
        return self.made[0].double()

    def is_explained_by(self, outputs: Iterable[Tensor]) -> bool:
        """Whether the outputs made agree with these far better than with the reference."""
        return self._compare(outputs) > BETTER

    def agrees_with(self, outputs: Iterable[Tensor]) -> bool:
        """Whether every output made agrees with these up to rounding."""
        return self._compare(outputs) > 0

    def is_right(self) -> bool:
        """Whether the outputs agree with the reference as well as an explanation has to."""
        return self.agrees_with(self.values[name] for name in NAMES if name in self.values)

    def _compare(self, outputs: Iterable[Tensor]) -> float:
        """The largest ratio of the error to the reference to that to these; 0: they differ."""
        better = 1.0
        for name, made, other in zip(NAMES, self.made, outputs, strict=False):
            off, wrong = apart(made, other), apart(made, self.values[name])
            if not off <= self._allowed(name, other):
                return 0.0
            better = max(better, wrong / off if off else wrong * float("inf") if wrong else 1.0)
            if not other.isfinite().all():
                break  # the gradients of NaN are NaN, in places that depend on the backward pass
        return better

    def _allowed(self, name: str, other: Tensor) -> float:
        size = rms(other[other.isfinite()])
        if self.dtype in (torch.float16, torch.bfloat16):
            return HALF_ROUNDINGS * self.unit * size
        return max(BOUNDS * rms(self.bounds[name]), ROUNDINGS * self.unit * size)


def observed(case: Case, outputs: tuple[Tensor, ...]) -> Observation:
    """The observation of outputs of a case whose rows are all compared."""
    expected = case.expected
    is_wrong = bool(malformed(outputs, case.inputs) or judge(outputs, expected)[1])
    return Observation(
        problem=case.problem,
        inputs=_in_double(case.inputs),
        made=tuple(each.detach().cpu() for each in outputs),
        values={name: value.cpu() for name, value in expected.values.items()},
        bounds={name: bound.cpu() for name, bound in expected.bounds.items()},
        is_wrong=is_wrong,
    )


def apart(made: Tensor, other: Tensor) -> float:
    """RMS of the difference; inf for another shape or other places that are not finite."""
    if made.shape != other.shape:
        return float("inf")
    finite = made.isfinite()
    if not torch.equal(finite, other.isfinite()):
        return float("inf")
    return rms(made[finite].double() - other[finite].double())


def rms(x: Tensor) -> float:
    """The root of the mean square; 0 for no elements."""
    return float(x.double().square().mean().sqrt()) if x.numel() else 0.0


def _in_double(inputs: Inputs) -> Inputs:
    q, k, v = (x.detach().cpu().double() for x in (inputs.q, inputs.k, inputs.v))
    bias, sink, grad = inputs.bias, inputs.sink, inputs.grad
    return replace(
        inputs,
        q=q,
        k=k,
        v=v,
        grad=None if grad is None else grad.cpu().double(),
        bias=None if bias is None else BiasValues(bias.kind, bias.values.cpu().double()),
        sink=None if sink is None else sink.cpu().double(),
    )
