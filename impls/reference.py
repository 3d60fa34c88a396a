"""The definition of correct: plain, dense and slow. Agreement calls it in float64; nobody times it.

Scaled dot-product attention is that of arXiv 1706.03762, section 3.2.1, on the visible keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.interface import BiasValues, Mask


def attention(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, bias: BiasValues | None = None, scale: float
) -> Tensor:
    """Attention of every query over the keys it may see; zeros for one that sees none.

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D], query head h reads key head h // (Hq // Hk)
    out     [B, Hq, Tq, D] in the dtype of the inputs
    """
    if bias is not None:
        raise ValueError(f"bias {bias.kind}: the reference has no biases yet")
    positions = torch.arange(q.shape[2], device=q.device) + k.shape[2] - q.shape[2]
    rows = torch.arange(q.shape[0], device=q.device)
    group = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(group, dim=1) for x in (k, v))
    seen = visible(mask, rows, positions, torch.arange(k.shape[2], device=q.device))
    return weights(scores(q, keys, seen=seen, scale=scale)) @ values


def visible(mask: Mask, rows: Tensor, positions: Tensor, keys: Tensor) -> Tensor:
    """Which keys are seen, [B, 1, T, K]: batch rows [B], positions [T] of queries, keys [K]."""
    seen: Tensor = mask.visible(rows[:, None, None, None], positions[:, None], keys)
    return seen.expand(len(rows), 1, len(positions), len(keys))


def scores(q: Tensor, k: Tensor, *, seen: Tensor, scale: float) -> Tensor:
    """Scaled products of queries and keys, -inf where a key is not seen: [B, H, T, Tk]."""
    return (scale * (q @ k.transpose(-1, -2))).masked_fill(~seen, float("-inf"))


def weights(scores: Tensor) -> Tensor:
    """Softmax over the keys: rows sum to one, or to zero where no key is seen."""
    top = scores.amax(dim=-1, keepdim=True)
    exponentials = torch.exp(scores - top.clamp_min(torch.finfo(scores.dtype).min))
    # The sum is at least 1, the top score's own share, unless nothing is seen and it is 0.
    return exponentials / exponentials.sum(dim=-1, keepdim=True).clamp_min(1.0)
