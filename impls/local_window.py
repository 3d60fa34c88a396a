"""Exact window attention whose work and memory grow with T, not with T squared.

The queries are cut into blocks. All that a block can reach is one strip of neighbouring keys: its
own length and the window's two reaches together. So all blocks are answered at once, by one
batched product of every block with its strip, one softmax over the strips with the band as a mask,
and one product with the strips of values: the sliding chunks of Longformer (arXiv 2004.05150).
Neighbouring strips overlap, so T * (block + reach) scores are held; the backward pass is
autograd's, and as linear.

A window that is unlimited on one side reaches over all keys: right, but no longer linear.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.interface import Limits, Mask, implementation


@implementation(Limits(masks=("window",)))
def local_window(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Every block of queries with its own strip of keys.

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]; the queries that share a key head share its strips
    out     [B, Hq, Tq, D]
    """
    length, key_length = q.shape[2], k.shape[2]
    back = min(mask.left or key_length, key_length) - 1
    ahead = length - 1 if mask.right is None else min(mask.right, length - 1)
    # As long as the reach, so that half of a strip is seen, within what keeps the products busy;
    # a power of two, so that common lengths divide by it.
    block = min(max(1 << (back + ahead - 1).bit_length(), 32), 128)
    first = key_length - length - back  # where the first strip begins, on the keys' axis

    blocks = _blocks(torch.unflatten(q * scale, 1, (k.shape[1], -1)), block)
    count, group = blocks.shape[2:4]
    keys, values = (_strips(x, first, block, back + block + ahead, count) for x in (k, v))

    rows, columns, starts = (
        torch.arange(size, device=q.device) for size in (block, keys.shape[3], count)
    )
    at = first + block * starts[:, None, None] + columns
    band = mask.visible(0, rows[:, None], columns - back)  # alike in every block
    hidden = ~(band & (at >= 0) & (at < key_length))[:, None]  # [count, 1, block, strip]

    scores = torch.unflatten(blocks.flatten(3, 4) @ keys.mT, 3, (group, block))
    weights = torch.softmax(scores.masked_fill_(hidden, torch.finfo(q.dtype).min), dim=-1)
    out = torch.unflatten(weights.flatten(3, 4) @ values, 3, (group, block))
    # Where every key is hidden, the weights are equal, not zero.
    out = out.masked_fill(hidden.all(-1, keepdim=True), 0.0)
    return out.movedim(3, 2).flatten(3, 4)[:, :, :, :length].flatten(1, 2)


def _blocks(x: Tensor, block: int) -> Tensor:
    """[B, Hk, G, T, D] as [B, Hk, blocks, G, block, D], zeros behind the last row."""
    padded = pad(x, (0, 0, 0, -x.shape[3] % block))
    return torch.unflatten(padded, 3, (-1, block)).movedim(3, 2)


def _strips(x: Tensor, first: int, step: int, strip: int, count: int) -> Tensor:
    """[B, Hk, T, D] as [B, Hk, count, strip, D]: one strip every `step` keys from key `first` on.

    Zeros stand before the first key and behind the last.
    """
    total = (count - 1) * step + strip
    padded = pad(x, (0, 0, -first, total + first - x.shape[2]))
    return padded.unfold(2, strip, step).mT.contiguous()
