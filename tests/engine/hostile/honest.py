"""What the hostile implementations share: a correct output, and whether times are being taken."""

from __future__ import annotations

import gc

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def right(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v, enable_gqa=True)


def in_a_sample() -> bool:
    """Whether times are being taken: garbage collection is on at all other times."""
    return not gc.isenabled()
