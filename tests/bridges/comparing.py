"""The error of a model's outputs with an implementation inside, and its gradients."""

from __future__ import annotations

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


def gradients(of: Made, within: Callable[[], Any]) -> dict[str, Tensor]:
    """The gradients of all parameters, by name, for the sum of squared logits."""
    of.model.zero_grad()
    with within():
        of.logits(of.model).pow(2).sum().backward()  # type: ignore[no-untyped-call] # torch's
    return {n: p.grad.clone() for n, p in of.model.named_parameters() if p.grad is not None}
