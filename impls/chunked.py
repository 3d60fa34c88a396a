"""Exact attention block by block, never holding all Tq x Tk scores (arXiv 2112.05682, 2205.14135).

Softmax needs the maximum and the sum of a whole row of scores. Both can be kept up to date while
the row is read block by block: when a block raises the maximum, everything summed so far shrinks
by exp(old maximum - new maximum). What is kept for the backward pass is the output and the
logarithm of the sum, from which the weights of any block follow again: exp(score - log of sum).

Blocks that the mask hides wholly are never computed; blocks that it leaves whole are not masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import Limits, Mask, implementation
from impls.interface.limits import EVERY_MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = (64, 128, 256, 512, 1024)


@implementation(Limits(masks=EVERY_MASK), choices={"block_q": BLOCKS, "block_k": BLOCKS})
def chunked(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    block_q: int = 256,
    block_k: int = 512,
) -> Tensor:
    """Blocks of `block_q` queries, each reading its keys in blocks of `block_k`.

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]; the queries that share a key head read its blocks together
    out     [B, Hq, Tq, D] in q's dtype; half precision is accumulated in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    out: Tensor = _Chunked.apply(  # type: ignore[no-untyped-call]  # torch leaves it untyped
        grouped, k, v, mask, scale, (block_q, block_k)
    )
    return out.flatten(1, 2)


class _Chunked(torch.autograd.Function):
    """q, out [B, Hk, G, Tq, D], where G queries share a key head; k, v [B, Hk, Tk, D]."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float, blocks: tuple[int, int]
    ) -> Tensor:
        out = torch.empty_like(q)
        log_sums = torch.empty(q.shape[:-1], dtype=_precise(q.dtype), device=q.device)
        for rows, tiles in _tiles(mask, q, k, blocks):
            queries = _rows(q, rows).mul(scale)
            top = torch.full_like(queries[..., :1], torch.finfo(queries.dtype).min)
            total, summed = torch.zeros_like(top), torch.zeros_like(queries)
            for keys, hidden in tiles:
                weights = _scores(queries, _keys(k, keys), hidden)
                new_top = torch.maximum(top, weights.amax(-1, keepdim=True))
                weights.sub_(new_top).exp_()
                shrink = (top - new_top).exp_()
                total.mul_(shrink).add_(weights.sum(-1, keepdim=True))
                summed.mul_(shrink).add_(weights @ _keys(v, keys))
                top = new_top
            # The top score adds 1 to the total, unless no key is seen: then it is 0, weights too.
            log_sum = top.add_(total.log()).masked_fill_(total == 0, float("inf"))
            _put(log_sums.unsqueeze(-1), rows, log_sum)
            _put(out, rows, summed.div_(total.clamp_min_(1.0)))
        ctx.save_for_backward(q, k, v, out, log_sums)
        ctx.settings = mask, scale, blocks
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, log_sums = ctx.saved_tensors
        mask, scale, blocks = ctx.settings
        dq = torch.empty_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=_precise(x.dtype), device=x.device) for x in (k, v))
        for rows, tiles in _tiles(mask, q, k, blocks):
            queries, dblock = _rows(q, rows).mul(scale), _rows(dout, rows)
            log_sum = _rows(log_sums.unsqueeze(-1), rows)
            shift = (dblock * _rows(out, rows)).sum(-1, keepdim=True)
            dqueries = torch.zeros_like(queries)
            for keys, hidden in tiles:
                block = _keys(k, keys)
                weights = _scores(queries, block, hidden).sub_(log_sum).exp_()
                dv[:, :, keys] += weights.mT @ dblock
                dscores = (dblock @ _keys(v, keys).mT).sub_(shift).mul_(weights)
                dk[:, :, keys] += dscores.mT @ queries
                dqueries += dscores @ block
            _put(dq, rows, dqueries.mul_(scale))
        return dq, dk.to(k.dtype), dv.to(v.dtype), None, None, None


def _tiles(
    mask: Mask, q: Tensor, k: Tensor, blocks: tuple[int, int]
) -> Iterator[tuple[slice, Iterator[tuple[slice, Tensor | None]]]]:
    """Blocks of rows of queries, and for each the blocks of keys that any of them sees."""
    length, key_length = q.shape[-2], k.shape[-2]
    for start in range(0, length, blocks[0]):
        rows = slice(start, min(start + blocks[0], length))
        first, last = rows.start + key_length - length, rows.stop - 1 + key_length - length
        yield rows, _key_blocks(mask, q, key_length, (first, last), blocks[1])


def _key_blocks(
    mask: Mask, q: Tensor, key_length: int, positions: tuple[int, int], block: int
) -> Iterator[tuple[slice, Tensor | None]]:
    """Blocks of keys, each with the pairs that are hidden in it, None where all are visible."""
    first, last = positions
    start, end = mask.span(first, last, key_length)
    batch = torch.arange(len(q), device=q.device)[:, None, None, None, None]
    for begin in range(start, end, block):
        keys = slice(begin, min(begin + block, end))
        if mask.covers(first, last, keys.start, keys.stop, key_length):
            yield keys, None
            continue
        queries = torch.arange(first, last + 1, device=q.device)[:, None]
        columns = torch.arange(keys.start, keys.stop, device=q.device)
        yield keys, ~mask.visible(batch, queries, columns)


def _scores(queries: Tensor, keys: Tensor, hidden: Tensor | None) -> Tensor:
    scores = queries @ keys.mT
    if hidden is not None:
        torch.unflatten(scores, 2, (-1, hidden.shape[-2])).masked_fill_(hidden, float("-inf"))
    return scores


def _rows(x: Tensor, rows: slice) -> Tensor:
    """Rows of [B, Hk, G, Tq, D] as [B, Hk, G * rows, D], in the dtype of the sums."""
    return x[:, :, :, rows].flatten(2, 3).to(_precise(x.dtype))


def _put(x: Tensor, rows: slice, block: Tensor) -> None:
    x[:, :, :, rows] = torch.unflatten(block, 2, (x.shape[2], -1))


def _keys(x: Tensor, keys: slice) -> Tensor:
    return x[:, :, keys].to(_precise(x.dtype))


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
