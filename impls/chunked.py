"""Exact attention block by block, never holding all Tq x Tk scores (arXiv 2112.05682, 2205.14135).

Online softmax: the maximum and the sum of a row are updated block by block. When a block raises the
maximum, the partial sums are scaled by exp(old maximum - new maximum). The forward pass saves the
output and the logarithm of the sum; the backward pass recomputes the weights of a block as
exp(score - log of sum).

Fully hidden blocks are skipped, and fully visible blocks are not masked. A bias is computed block
by block. A sink initializes the maximum and the sum of every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.rows import slices

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = (64, 128, 256, 512, 1024)
"""Rows of a block that are worth trying."""


@implementation(
    Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True),
    choices={"block_q": BLOCKS, "block_k": BLOCKS},
)
def chunked(  # noqa: PLR0913 - the arguments of the contract and two settings
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    softcap: float | None = None,
    sink: Tensor | None = None,
    block_q: int = 256,
    block_k: int = 512,
) -> Tensor:
    """Attention in blocks of `block_q` queries and `block_k` keys.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]; queries that share a key head are multiplied with a block together
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype; half precision accumulates in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    settings = _Settings(mask, scale, bias, softcap, sink, (block_q, block_k))
    out: Tensor = _Chunked.apply(grouped, k, v, settings)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """The arguments without gradients; `blocks` are the sizes of query and key blocks."""

    mask: Mask
    scale: float
    bias: BiasValues | None
    softcap: float | None
    sink: Tensor | None
    blocks: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """A block of keys for a block of R queries.

    hidden  pairs that the mask hides, [B or 1, 1, 1, R, keys]; None for none
    added   the bias, [Hk, G, R, keys]; None without one
    """

    keys: slice
    hidden: Tensor | None
    added: Tensor | None


class _Chunked(torch.autograd.Function):
    """The autograd function. q [B, Hk, G, Tq, D], G = Hq / Hk; k [B, Hk, Tk, D], v [..., Dv]."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, settings: _Settings) -> Tensor:
        shape = (*q.shape[:-1], v.shape[-1])
        # The layout of q. Tensor.dim_order() would import sympy, 0.5 s once a process.
        order = sorted(range(q.dim()), key=q.stride, reverse=True)
        out = torch.empty_permuted(shape, order, dtype=q.dtype, device=q.device)
        log_sums = torch.empty(q.shape[:-1], dtype=_sum_dtype(q.dtype), device=q.device)
        for rows, tiles in _tiles(settings, q, k):
            queries = _rows(q, rows).mul(settings.scale)
            top, total = _initial(settings.sink, queries, k.shape[1])
            summed = queries.new_zeros((*queries.shape[:-1], v.shape[-1]))
            for tile in tiles:
                products = _capped(queries @ _keys(k, tile.keys).mT, settings.softcap)
                weights = _scores(products, tile)
                new_top = torch.maximum(top, weights.amax(-1, keepdim=True))
                weights.sub_(new_top).exp_()
                shrink = (top - new_top).exp_()
                total.mul_(shrink).add_(weights.sum(-1, keepdim=True))
                summed.mul_(shrink).add_(weights @ _keys(v, tile.keys))
                top = new_top
            # The maximum adds 1 to the total. Without a visible key total and weights are 0.
            log_sum = top.add_(total.log()).masked_fill_(total == 0, float("inf"))
            _put(log_sums.unsqueeze(-1), rows, log_sum)
            _put(out, rows, summed.div_(total.clamp_min_(1.0)))
        ctx.save_for_backward(q, k, v, out, log_sums)
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, log_sums = ctx.saved_tensors
        settings: _Settings = ctx.settings
        dq = torch.empty_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=_sum_dtype(x.dtype), device=x.device) for x in (k, v))
        for rows, tiles in _tiles(settings, q, k):
            queries, dblock = _rows(q, rows).mul(settings.scale), _rows(dout, rows)
            log_sum = _rows(log_sums.unsqueeze(-1), rows)
            shift = (dblock * _rows(out, rows)).sum(-1, keepdim=True)
            dqueries = torch.zeros_like(queries)
            for tile in tiles:
                block = _keys(k, tile.keys)
                products = _capped(queries @ block.mT, settings.softcap)
                slope = _slope(products, settings.softcap)
                weights = _scores(products, tile).sub_(log_sum).exp_()
                dv[:, :, tile.keys] += weights.mT @ dblock
                dscores = (dblock @ _keys(v, tile.keys).mT).sub_(shift).mul_(weights)
                dproducts = dscores if slope is None else dscores.mul_(slope)
                dk[:, :, tile.keys] += dproducts.mT @ queries
                dqueries += dproducts @ block
            _put(dq, rows, dqueries.mul_(settings.scale))
        return dq, dk.to(k.dtype), dv.to(v.dtype), None


def _tiles(settings: _Settings, q: Tensor, k: Tensor) -> Iterator[tuple[slice, Iterator[_Tile]]]:
    """Each block of query rows with the key blocks that it sees."""
    offset = k.shape[-2] - q.shape[-2]
    for rows in _query_blocks(settings, q.shape[-2]):
        positions = range(rows.start + offset, rows.stop + offset)
        yield rows, _key_blocks(settings, q, k.shape[-2], positions)


def _query_blocks(settings: _Settings, length: int) -> Iterator[slice]:
    """Blocks of queries, each within one row of a packed batch: a block then sees its keys only."""
    packed = settings.mask.rows
    for part in [slice(0, length)] if packed is None else [each for each, _ in slices(packed)]:
        for start in range(part.start, part.stop, settings.blocks[0]):
            yield slice(start, min(start + settings.blocks[0], part.stop))


def _key_blocks(
    settings: _Settings, q: Tensor, key_length: int, positions: range
) -> Iterator[_Tile]:
    mask, bias = settings.mask, settings.bias
    first, last = positions[0], positions[-1]
    start, end = mask.span(first, last, key_length)
    batch = torch.arange(len(q), device=q.device)[:, None, None, None, None]
    for begin in range(start, end, settings.blocks[1]):
        keys = range(begin, min(begin + settings.blocks[1], end))
        hidden = None
        if not mask.covers(first, last, keys.start, keys.stop, key_length):
            queries = torch.arange(first, last + 1, device=q.device)[:, None]
            columns = torch.arange(keys.start, keys.stop, device=q.device)
            hidden = ~mask.visible(batch, queries, columns)
        added = (
            None
            if bias is None
            else torch.unflatten(bias.between(positions, keys), 0, q.shape[1:3])
        )
        yield _Tile(slice(keys.start, keys.stop), hidden, added)


def _initial(sink: Tensor | None, queries: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Initial maximum and sum of every row, each [B, Hk, G * R, 1]."""
    top = torch.full_like(queries[..., :1], torch.finfo(queries.dtype).min)
    if sink is None:
        return top, torch.zeros_like(top)
    logits = torch.unflatten(sink.to(top.dtype), 0, (heads, -1))[..., None, None]
    torch.unflatten(top, 2, (logits.shape[1], -1)).clamp_min_(logits)
    return top, torch.ones_like(top)


def _capped(products: Tensor, softcap: float | None) -> Tensor:
    return products if softcap is None else products.div_(softcap).tanh_().mul_(softcap)


def _slope(capped: Tensor, softcap: float | None) -> Tensor | None:
    """Derivative of the capped product, 1 - tanh^2; None without a softcap, where it is 1."""
    return None if softcap is None else (capped / softcap).square_().neg_().add_(1)


def _scores(products: Tensor, tile: _Tile) -> Tensor:
    """Scores, [B, Hk, G * R, keys]: adds the bias and the mask to the products in place."""
    if tile.added is not None:
        torch.unflatten(products, 2, (-1, tile.added.shape[-2])).add_(tile.added)
    if tile.hidden is not None:
        spread = torch.unflatten(products, 2, (-1, tile.hidden.shape[-2]))
        spread.masked_fill_(tile.hidden, float("-inf"))
    return products


def _rows(x: Tensor, rows: slice) -> Tensor:
    """Rows of [B, Hk, G, Tq, D] as [B, Hk, G * R, D], in the accumulation dtype."""
    return x[:, :, :, rows].flatten(2, 3).to(_sum_dtype(x.dtype))


def _put(x: Tensor, rows: slice, block: Tensor) -> None:
    x[:, :, :, rows] = torch.unflatten(block, 2, (x.shape[2], -1))


def _keys(x: Tensor, keys: slice) -> Tensor:
    return x[:, :, keys].to(_sum_dtype(x.dtype))


def _sum_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
