"""The proof that an attention leaves the answers of a model as they are.

The definition within the same model in float64 gives the answer. The model's own eager attention
in the problem's dtype gives the error that rounding makes of it. An implementation may err by four
times that, with four roundings of the largest value beside it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from impls.bridges.any_model import bridged
from impls.interface import Implementation, Limits, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.reference import attention
from suites.models.built import like
from suites.models.steps import Given, ModelSteps
from suites.recording.recognising import Recogniser
from suites.records.record import TensorError

FACTOR: Final = 4.0
"""Times the error of the model's own attention that an implementation may have."""
ROUNDINGS: Final = 100.0
"""Roundings of the largest value that the model's own attention errs by at most: where it errs by
more, the model computes another function than the definition within it."""
SMALL: Final = 1e-3
"""The RMS of a parameter's gradient counts as at least this part of the largest one. Gradients of
biases of keys are zero but for rounding."""
RMS_ALLOWED, WORST_ALLOWED = 2.0, 16.0
"""As in suites.agreement.gate: shares up to these agree."""
LOGITS, GRADIENTS = "out", "parameters"
"""The tensors of a proof, by the names that records have for them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer of a step, and the error of the model's own attention.

    exact     in float64
    own       errors of the model's own attention: RMS and largest of the answer, and the largest
              relative RMS of any gradient
    rounding  of the largest value of the answer
    """

    exact: Sequence[Tensor]
    own: tuple[float, float, float]
    rounding: float

    def errors(self, made: Sequence[Tensor]) -> tuple[TensorError, ...]:
        """The errors of an implementation; shares are of what it may err by."""
        rms, worst, gradients = _errors(made, self.exact)
        own_rms, own_worst, own_gradients = self.own
        exact = self.exact[0].double()
        found = [
            TensorError(
                tensor=LOGITS,
                rms_share=RMS_ALLOWED * rms / (FACTOR * (own_rms + self.rounding)),
                worst_share=WORST_ALLOWED * worst / (FACTOR * (own_worst + self.rounding)),
                relative_rms=rms / max(_rms(exact), 1e-300),
                max_error=worst,
            )
        ]
        if len(self.exact) > 1:
            eps = torch.finfo(made[0].dtype).eps
            share = gradients / (FACTOR * (own_gradients + eps))
            found.append(
                TensorError(
                    tensor=GRADIENTS,
                    rms_share=RMS_ALLOWED * share,
                    worst_share=WORST_ALLOWED * share,
                    relative_rms=gradients,
                    max_error=gradients,
                )
            )
        return tuple(found)


def expected(steps: ModelSteps, given: Given) -> Expected:
    """The proof's expectation for a batch.

    Raises ValueError where the model's own attention is not that of the definition.
    """
    own = steps.step(steps.built.model, given)()
    exact = _in_float64(steps, given)
    rounding = torch.finfo(own[0].dtype).eps * float(exact[0].abs().max())
    errors = _errors(own, exact)
    if not errors[1] <= ROUNDINGS * rounding:
        raise ValueError(
            f"model:{steps.problem.model}: its own attention differs by {errors[1]:.2g} from the "
            "definition in its layers, beyond rounding: it computes another function"
        )
    return Expected(exact, errors, rounding)


def fault(errors: Sequence[TensorError]) -> str:
    """The first error beyond what is allowed, as text; empty: it agrees."""
    words = {LOGITS: "the answer of the model", GRADIENTS: "the gradient of a parameter"}
    for each in errors:
        beyond = max(each.rms_share / RMS_ALLOWED, each.worst_share / WORST_ALLOWED)
        if not beyond <= 1:
            return (
                f"{words[each.tensor]} errs by {each.max_error:.2g}, {beyond:.1f} times what is "
                "allowed"
            )
    return ""


def changed(made: Tensor, own: Tensor) -> str:
    """The fault of a timed answer beside that of the model's own attention; empty: none."""
    apart = _rms(made.double() - own.double()) / max(_rms(own), 1e-300)
    if apart <= torch.finfo(made.dtype).eps ** 0.5:
        return ""
    return f"agrees in the check, but not while timed: the answer of the model is {apart:.1%} off"


def _in_float64(steps: ModelSteps, given: Given) -> tuple[Tensor, ...]:
    """The result of the step with the definition in the layers of the model in float64."""
    wide = copy.deepcopy(steps.built.model).double()
    grad = None if given.grad is None else given.grad.double()
    with bridged(wide, definition(), Recogniser()) as bridge:
        return steps.step(bridge.model, Given(like(wide, given.batch), grad))()


def definition() -> Implementation:
    """The definition of attention as an implementation, for the layers of a model."""
    limits = Limits(
        masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True
    )
    return implementation(limits)(attention)


def _errors(made: Sequence[Tensor], exact: Sequence[Tensor]) -> tuple[float, float, float]:
    """RMS and largest error of the answer; the largest relative RMS error of a gradient."""
    apart = made[0].double() - exact[0]
    sizes = list(map(_rms, exact[1:]))
    least = SMALL * max(sizes, default=0.0)
    relative = (
        _rms(one.double() - other) / max(size, least, 1e-300)
        for one, other, size in zip(made[1:], exact[1:], sizes, strict=True)
    )
    return _rms(apart), float(apart.abs().max()), max(relative, default=0.0)


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())
