"""The error of a model's outputs with an implementation inside, and its gradients."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from run_bench import use
from tests.bridges.small_models import Made

FACTOR: Final = 4.0
"""An honest implementation errs at most so many times as much as the model's own attention, with
so many roundings of the largest logit beside it."""
ROUNDINGS: Final = 100.0
"""Most roundings that the model's own attention errs by: more would be another function."""


@torch.no_grad()
def share(of: Made, found: Tensor) -> float:
    """The error of logits over what is allowed.

    Errors are against the model in float64, with the definition in its layers: eager attention
    takes its softmax in float32.
    """
    own = of.logits(of.model)
    with use(copy.deepcopy(of.model).double(), "naive") as bridge:
        exact = of.logits(bridge.model)
    rounding = torch.finfo(own.dtype).eps * float(exact.abs().max())
    error = float((own - exact).abs().max())
    assert error <= ROUNDINGS * rounding
    return float((found - exact).abs().max()) / (FACTOR * (error + rounding))


def gradients(
    model: Any, logits: Callable[[Any], Tensor], within: Callable[[Any], Any]
) -> dict[str, Tensor]:
    """The gradient of every parameter that has one, by name."""
    model.zero_grad()
    with within(model):
        logits(model).pow(2).sum().backward()  # type: ignore[no-untyped-call] # torch's
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def shares(of: Made, found: dict[str, Tensor]) -> dict[str, float]:
    """The error of each parameter's gradient over what is allowed, as `share` has it.

    A thousandth of the rounding of the largest gradient is for those that are zero in exact
    arithmetic: a constant that is added to all keys changes no weight.
    """
    own = gradients(of.model, of.logits, contextlib.nullcontext)
    double = copy.deepcopy(of.model).double()
    exact = gradients(double, of.logits, lambda model: use(model, "naive"))
    assert found.keys() == own.keys() == exact.keys()
    eps = torch.finfo(torch.float32).eps
    largest = eps * max(float(each.abs().max()) for each in exact.values())
    result = {}
    for name, right in exact.items():
        rounding = eps * float(right.abs().max()) + largest / 1000
        error = float((own[name] - right).abs().max())
        assert error <= ROUNDINGS * rounding, name
        result[name] = float((found[name] - right).abs().max()) / (FACTOR * (error + rounding))
    return result
