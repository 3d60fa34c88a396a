"""Implementations with a failing assert on the device: CUDA cannot be used in that process then."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.engine.hostile.honest import in_a_sample, right

SAMPLES_BEFORE = 3
_samples = 0


def _assert_false(x: Tensor) -> None:
    torch._assert_async(torch.zeros((), device=x.device))


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def asserts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    _assert_false(q)
    return out


class _AssertsInBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        _assert_false(grads[0])
        return grads[0]


def asserts_in_backward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    made: Tensor = _AssertsInBackward.apply(right(q, k, v))  # type: ignore[no-untyped-call] # torch's
    return made


def asserts_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """In a later round only, after its output is made."""
    global _samples  # noqa: PLW0603 - it counts over its calls
    out = right(q, k, v)
    if in_a_sample():
        _samples += 1
        if _samples > SAMPLES_BEFORE:
            _assert_false(q)
    return out


def catches_its_assert(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Its own exception hides the error of the device."""
    try:
        _assert_false(q)
        torch.cuda.synchronize()
    except RuntimeError:
        raise ValueError("no such luck") from None
    return right(q, k, v)


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)
