"""The textbook formula with its mask: scores, softmax, weights times values (arXiv 1706.03762).

Everything of size Tq x Tk is held at once, so time and memory both grow with the square of the
sequence: what every other implementation here avoids in its own way.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.interface import Limits, Mask, implementation
from impls.interface.limits import EVERY_MASK


@implementation(Limits(masks=EVERY_MASK))
def naive(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """softmax(scale * q k^T + mask) v, written down as it is read.

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]
    out     [B, Hq, Tq, D]
    """
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    scores = (scale * q) @ k.transpose(-1, -2)
    if mask.is_full:
        return torch.softmax(scores, dim=-1) @ v
    hidden = ~_visible(mask, q, k)
    # The least number, not -inf: a row that sees nothing stays finite, gradients too, until zeroed.
    weights = torch.softmax(scores.masked_fill_(hidden, torch.finfo(q.dtype).min), dim=-1)
    return (weights @ v).masked_fill(hidden.all(-1, keepdim=True), 0.0)


def _visible(mask: Mask, q: Tensor, k: Tensor) -> Tensor:
    rows = torch.arange(q.shape[0], device=q.device)[:, None, None, None]
    positions = torch.arange(q.shape[2], device=q.device)[:, None] + k.shape[2] - q.shape[2]
    keys = torch.arange(k.shape[2], device=q.device)
    seen: Tensor = mask.visible(rows, positions, keys)
    return seen
