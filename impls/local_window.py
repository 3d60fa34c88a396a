"""Exact window attention with work and memory linear in T: sliding chunks (arXiv 2004.05150).

The queries are split into blocks. A block sees one contiguous strip of keys, as long as the block
plus the left and right reach. All blocks are computed at once: a batched product of blocks and key
strips, a softmax over each strip under the band mask, and a product with value strips. Neighbouring
strips overlap, so that T * (block + reach) scores are held. The backward pass is autograd's, and
linear too.

The band and the bias are equal in every block, since they depend on distances only. Padding and
documents are masked for each pair of block and strip.

A window without a limit on one side covers all keys: correct, but no longer linear.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import BY_DISTANCE, EVERY_MASK


@implementation(
    Limits(
        # Each row would need strips of its own.
        masks=tuple(k for k in EVERY_MASK if k.startswith("window") and "rows" not in k),
        biases=BY_DISTANCE,
        own_value_dim=True,
        softcap=True,
        sink=True,
    )
)
def local_window(  # noqa: PLR0913 - the arguments of the contract
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    softcap: float | None = None,
    sink: Tensor | None = None,
) -> Tensor:
    """Window attention of every query block with its key strip.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]; query heads of one key head share its strips
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv]
    """
    length, key_length = q.shape[2], k.shape[2]
    back = min(mask.left or key_length, key_length) - 1
    ahead = length - 1 if mask.right is None else min(mask.right, length - 1)
    # As long as the reach, so that half of a strip is visible; 32 to 128 for efficient products;
    # a power of two, so that common lengths are multiples.
    block = min(max(1 << (back + ahead - 1).bit_length(), 32), 128)
    strip = back + block + ahead
    first = key_length - length - back  # the first key of the first strip

    heads = k.shape[1], q.shape[1] // k.shape[1]
    blocks = _blocks(torch.unflatten(q * scale, 1, heads), block)
    count, group = blocks.shape[2:4]
    keys, values = (_strips(x, first, block, strip, count) for x in (k, v))
    at = first + block * torch.arange(count, device=q.device)[:, None] + _upto(strip, q)
    hidden = ~_visible(mask, at, (back, block), key_length, len(q))

    scores = torch.unflatten(blocks.flatten(3, 4) @ keys.mT, 3, (group, block))
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if bias is not None:
        added = bias.between(range(back, back + block), range(strip)).to(scores.dtype)
        scores = scores + torch.unflatten(added, 0, heads)[:, None]
    weights = _weights(scores.masked_fill_(hidden, torch.finfo(q.dtype).min), sink, heads)
    out = torch.unflatten(weights.flatten(3, 4) @ values, 3, (group, block))
    # Rows without a visible key have equal weights; set them to zero.
    out = out.masked_fill(hidden.all(-1, keepdim=True), 0.0)
    return out.movedim(3, 2).flatten(3, 4)[:, :, :, :length].flatten(1, 2)


def _visible(mask: Mask, at: Tensor, block: tuple[int, int], key_length: int, batch: int) -> Tensor:
    """The visible keys of each strip, [B or 1, 1, count, 1, block, strip].

    at      [count, strip], the key of every strip entry
    block   offset of a block's first row in its strip, and its number of rows
    """
    back, size = block
    rows, columns = back + _upto(size, at)[:, None], _upto(at.shape[1], at)
    band = replace(mask, padding=None, documents=None).visible(0, rows, columns)
    seen: Tensor = (band & ((at >= 0) & (at < key_length))[:, None])[None, None, :, None]
    if mask.padding is None and mask.documents is None:
        return seen
    others = replace(mask, left=None, right=None)
    each, positions = _upto(batch, at)[:, None, None, None], at[None, :, back : back + size, None]
    return seen & others.visible(each, positions, at[None, :, None])[:, None, :, None]


def _weights(scores: Tensor, sink: Tensor | None, heads: tuple[int, int]) -> Tensor:
    """Softmax over the strips; a sink is one more column, dropped after the softmax.

    scores  [B, Hk, count, G, block, strip]
    """
    if sink is None:
        return torch.softmax(scores, dim=-1)
    logits = torch.unflatten(sink.to(scores.dtype), 0, heads)[:, None, :, None, None]
    column = logits.expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat((scores, column), dim=-1), dim=-1)[..., :-1]


def _upto(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, device=like.device)


def _blocks(x: Tensor, block: int) -> Tensor:
    """[B, Hk, G, T, D] as [B, Hk, blocks, G, block, D], with zeros after the last row."""
    padded = pad(x, (0, 0, 0, -x.shape[3] % block))
    return torch.unflatten(padded, 3, (-1, block)).movedim(3, 2)


def _strips(x: Tensor, first: int, step: int, strip: int, count: int) -> Tensor:
    """[B, Hk, T, D] as [B, Hk, count, strip, D]: one strip every `step` keys, from key `first`.

    Zeros pad both ends.
    """
    total = (count - 1) * step + strip
    padded = pad(x, (0, 0, -first, total + first - x.shape[2]))
    return padded.unfold(2, strip, step).mT.contiguous()
