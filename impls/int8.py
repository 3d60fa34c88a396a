"""Attention with int8 queries and keys, an approximation (SageAttention, arXiv 2410.02367).

Queries and keys are rounded to 8-bit integers, with one scale for each block of rows. The mean of
the keys is subtracted first: it changes no weight, and the rest is smaller where keys have a common
part. Weights and values stay in floating point.

The integers are multiplied as floating-point numbers. Their products are exact: a sum of 1024
products of integers up to 127 is below 2^24. So the errors are those of int8 kernels, and the speed
is that of a dense floating-point product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

BLOCKS = (16, 32, 64, 128)
"""Rows with one scale that are worth trying."""
LARGEST = 127
"""The largest 8-bit integer with a negative counterpart."""


@implementation(
    Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, backward=False),
    choices={"block": BLOCKS},
    approximates=True,
)
def int8_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    block: int = 64,
) -> Tensor:
    """Attention whose scores are products of 8-bit integers.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype; half precision computes its scores in float32
    """
    wide, group = torch.promote_types(q.dtype, torch.float32), q.shape[1] // k.shape[1]
    keys = k.to(wide) - k.to(wide).mean(2, keepdim=True)
    queries, query_steps = _integers(q.to(wide), block)
    keys, key_steps = _integers(keys.repeat_interleave(group, dim=1), block)
    scores = (queries @ keys.mT).mul_(scale * query_steps).mul_(key_steps.mT)
    if bias is not None:
        first = k.shape[2] - q.shape[2]
        scores += bias.between(range(first, k.shape[2]), range(k.shape[2])).to(wide)
    hidden = None if mask.is_full else ~mask.dense(len(q), q.shape[2], k.shape[2], q.device)
    if hidden is not None:
        scores = scores.masked_fill_(hidden, torch.finfo(wide).min)
    out = torch.softmax(scores, -1).to(v.dtype) @ v.repeat_interleave(group, dim=1)
    return out if hidden is None else out.masked_fill(hidden.all(-1, keepdim=True), 0.0)


def _integers(x: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Integers from -127 to 127 as floating-point numbers, and the step of each row, [B, H, T, 1].

    A number is about its integer times its row's step. Rows of a block have the same step.
    """
    length = x.shape[2]
    blocks = torch.unflatten(pad(x, (0, 0, 0, -length % block)), 2, (-1, block))
    largest = blocks.abs().amax((-1, -2), keepdim=True)
    step = largest.clamp_min(torch.finfo(x.dtype).tiny * LARGEST) / LARGEST
    integers = torch.round(blocks / step).flatten(2, 3)[:, :, :length]
    return integers, step.expand(-1, -1, -1, block, -1).flatten(2, 3)[:, :, :length]
