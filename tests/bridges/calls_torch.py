"""An implementation that calls scaled_dot_product_attention by its module."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def calls_torch(q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False) -> Tensor:
    """Attention of torch."""
    return functional.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
