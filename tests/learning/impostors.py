"""Implementations with a fault in their backward pass or in their mask, and honest ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Scaled(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(context: Any, x: Tensor, factor: float) -> Tensor:
        context.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return context.factor * grads[0], None


def scaled(x: Tensor, factor: float) -> Tensor:
    made: Tensor = Scaled.apply(x, factor)  # type: ignore[no-untyped-call] # torch's
    return made


def right(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    seen = None if mask.is_full else mask.dense(len(q), q.shape[2], k.shape[2], q.device)
    grouped = q.shape[1] != k.shape[1]
    return scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale, enable_gqa=grouped)


def dq_too_large(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return right(scaled(q, 1.05), k, v, mask=mask, scale=scale)


def dv_too_large(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return right(q, k, scaled(v, 1.05), mask=mask, scale=scale)


def dk_negated(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return right(q, scaled(k, -1.0), v, mask=mask, scale=scale)


def drops_padding(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    del mask
    return scaled_dot_product_attention(q, k, v, scale=scale)


def detached(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return right(q, k, v, mask=mask, scale=scale).detach()


def in_bfloat16(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    halves = (x.bfloat16() for x in (q, k, v))
    return right(*halves, mask=mask, scale=scale).to(q.dtype)
