"""Implementations in processes of their own, and two that share the first one.

Each returns correct outputs when it returns.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from impls.interface import Limits, implementation
from tests.engine.hostile.honest import in_a_sample, right

LIMITS = Limits(masks=("full",), backward=False)


def _scaled(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return right(q * (scale * q.shape[-1] ** 0.5), k, v)


@implementation(LIMITS)
def honest_first(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    return _scaled(q, k, v, scale)


@implementation(LIMITS, apart="its file says so")
def honest_apart(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    return _scaled(q, k, v, scale)


@implementation(LIMITS, apart="its file says so")
def changes_the_threads(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    torch.set_num_threads(3)
    return _scaled(q, k, v, scale)


@implementation(LIMITS, apart="its file says so")
def raises_in_a_sample(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    if in_a_sample():
        raise RuntimeError("only in the rounds")
    return _scaled(q, k, v, scale)


@implementation(LIMITS, apart="its file says so")
def exits_in_a_sample(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    if in_a_sample():
        os._exit(0)
    return _scaled(q, k, v, scale)


@implementation(LIMITS)
def honest_last(q: Tensor, k: Tensor, v: Tensor, *, mask: object, scale: float) -> Tensor:
    return _scaled(q, k, v, scale)
