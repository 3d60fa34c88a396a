"""Implementations with a common mistake each."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tests.engine.hostile.honest import right


def honest(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def scales_twice(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q * q.shape[-1] ** -0.5, k, v, enable_gqa=True)


def takes_multiples_of_128(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if q.shape[2] % 128:
        raise ValueError(f"a length of {q.shape[2]}")
    return right(q, k, v)


def needs_another_argument(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise RuntimeError("always")
