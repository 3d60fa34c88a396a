"""The textbook formula with a mask: scores, softmax, weights times values (arXiv 1706.03762).

It holds whole Tq x Tk matrices, so that time and memory are quadratic in the sequence length. Rows
of a packed batch are computed one after the other.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.rows import row_by_row


@implementation(
    Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True)
)
def naive(  # noqa: PLR0913 - the arguments of the contract
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
    """softmax(scale * q k^T + mask) v, without any optimization.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv]
    """
    if mask.rows is not None:
        alone = partial(
            naive.function, mask=mask.of_one_row, scale=scale, bias=bias, softcap=softcap, sink=sink
        )
        return row_by_row(alone, mask.rows, q, k, v)
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    scores = (scale * q) @ k.transpose(-1, -2)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if bias is not None:
        first = k.shape[2] - q.shape[2]
        added = bias.between(range(first, k.shape[2]), range(k.shape[2]))
        scores = scores + added.to(scores.dtype)
    hidden = None if mask.is_full else ~mask.dense(len(q), q.shape[2], k.shape[2], q.device)
    if hidden is not None:
        # The least finite number, not -inf: rows without keys and their gradients stay finite.
        scores = scores.masked_fill_(hidden, torch.finfo(q.dtype).min)
    out = _weights(scores, sink) @ v
    return out if hidden is None else out.masked_fill(hidden.all(-1, keepdim=True), 0.0)


def _weights(scores: Tensor, sink: Tensor | None) -> Tensor:
    """Softmax over the keys; a sink is one more column, dropped after the softmax."""
    if sink is None:
        return torch.softmax(scores, dim=-1)
    column = sink.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat((scores, column), dim=-1), dim=-1)[..., :-1]
