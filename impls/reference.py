"""The definition of correct attention: plain, dense and slow, called in float64 and never timed.

Scaled dot-product attention of arXiv 1706.03762, section 3.2.1, on the visible keys. The softcap
applies to scores first, then the bias, then the mask. A sink adds to the sum of the softmax only.
Each row of a packed batch is a call of its own.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from impls.interface import BiasValues, Mask
from impls.interface.rows import row_by_row


def attention(  # noqa: PLR0913 - the arguments of the contract
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
    """Attention of every query over its visible keys; zeros for a query without one.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D], query head h reads key head h // (Hq // Hk)
    v       [B, Hk, Tk, Dv]
    sink    [Hq]
    out     [B, Hq, Tq, Dv] in the dtype of the inputs
    """
    if mask.rows is not None:
        alone = partial(
            attention, mask=mask.of_one_row, scale=scale, bias=bias, softcap=softcap, sink=sink
        )
        return row_by_row(alone, mask.rows, q, k, v)
    positions = torch.arange(q.shape[2], device=q.device) + k.shape[2] - q.shape[2]
    rows = torch.arange(q.shape[0], device=q.device)
    group = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(group, dim=1) for x in (k, v))
    columns = torch.arange(k.shape[2], device=q.device)
    seen = visible(mask, rows, positions, columns)
    added = None if bias is None else bias.of_pairs(positions[:, None], columns).to(q.dtype)
    every = scores(scale * (q @ keys.mT), seen=seen, softcap=softcap, added=added)
    column = None if sink is None else sink.to(q.dtype)[:, None, None]
    return weights(every, column) @ values


def visible(mask: Mask, rows: Tensor, positions: Tensor, keys: Tensor) -> Tensor:
    """Visible pairs [B, 1, T, K] of batch rows [B], query positions [T] and keys [K]."""
    seen: Tensor = mask.visible(rows[:, None, None, None], positions[:, None], keys)
    return seen.expand(len(rows), 1, len(positions), len(keys))


def scores(
    products: Tensor, *, seen: Tensor, softcap: float | None = None, added: Tensor | None = None
) -> Tensor:
    """Scores: products after softcap, bias and mask; -inf for hidden keys.

    products  [..., T, Tk], multiplied by the scale
    added     the bias, of a shape that broadcasts
    """
    capped = products if softcap is None else softcap * torch.tanh(products / softcap)
    biased = capped if added is None else capped + added
    return biased.masked_fill(~seen, float("-inf"))


def weights(scores: Tensor, sink: Tensor | None = None) -> Tensor:
    """Softmax over the keys: rows sum to 1, to less with a sink, to 0 without a visible key.

    sink  logits, of a shape that broadcasts with one column of the scores
    """
    top = scores.amax(dim=-1, keepdim=True)
    if sink is not None:
        top = torch.maximum(top, sink)
    top = top.clamp_min(torch.finfo(scores.dtype).min)
    exponentials = torch.exp(scores - top)
    total = exponentials.sum(dim=-1, keepdim=True)
    if sink is not None:
        return exponentials / (total + torch.exp(sink - top))
    # The maximum contributes 1 to the sum; without a visible key the sum is 0.
    return exponentials / total.clamp_min(1.0)
