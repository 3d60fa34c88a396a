"""Exact attention tile by tile, never holding all Tq x Tk scores (arXiv 2112.05682, 2205.14135).

Online softmax: a row of queries has a reference score, and sums of exp(score - reference). A tile
whose scores exceed the reference by far raises it to their maximum, and scales the sums so far by
exp(old - new). The quotient of the sums is the same for every reference. The backward pass
recomputes the weights of a tile as exp(score - log of sum).

Scores are in units of log 2: exp of torch takes 4 times as long for -inf, exp2 does not. A tile
fits the cache and has a head for each thread. docs/kernels.md has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, prod
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.tiles import Tile, fitting_sizes, parts_of

BLOCKS: Final = (64, 128, 256, 512, 1024)
"""Rows of a block that are worth trying."""
LOG2E: Final = 1 / log(2)
FEW: Final = 32
"""Rows of queries up to which keys times queries is faster than queries times keys."""
LARGEST_SUM: Final = 2.0**12
"""A tile with a larger sum of exp(score - reference) in a row raises the references."""


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
    block_q: int | None = None,
    block_k: int | None = None,
) -> Tensor:
    """Attention in tiles of `block_q` queries and `block_k` keys; None: by the size of the cache.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]; queries that share a key head are multiplied with a block together
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype; half precision is computed in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    group, sizes = grouped.shape[2], fitting_sizes(grouped, k, mask, (block_q, block_k))
    parts = []
    for batch, heads, tiles in parts_of(mask, grouped, k, sizes):
        of_heads = slice(heads.start * group, heads.stop * group)
        own = bias and replace(bias, values=bias.values[of_heads])
        parts.append(_Part(batch, heads, group, scale, softcap, own, tiles))
    room = prod(sizes) * group
    out: Tensor = _Chunked.apply(grouped, k, v, sink, parts, room)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


class _Chunked(torch.autograd.Function):
    """The autograd function. q [B, Hk, G, Tq, D], G = Hq / Hk; k [B, Hk, Tk, D], v [..., Dv]."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        q, k, v, sink, ctx.parts, ctx.room = inputs
        dtype = torch.promote_types(q.dtype, torch.float32)
        least = torch.finfo(dtype).min
        # The layout of q. Tensor.dim_order() would import sympy, 0.5 s once a process.
        order = sorted(range(q.dim()), key=q.stride, reverse=True)
        shape = (*q.shape[:-1], v.shape[-1])
        out = torch.empty_permuted(shape, order, dtype=q.dtype, device=q.device)
        log_sums = torch.empty((*q.shape[:-1], 1), dtype=dtype, device=q.device)
        buffer = log_sums.new_empty(ctx.room)
        for part in ctx.parts:
            queries, keys, values = part.rows(q), part.take(k), part.take(v)
            tops = queries.new_full((*queries.shape[:2], 1), least)
            totals = torch.zeros_like(tops)
            summed = part.rows(out).zero_()  # of out itself where its dtype and layout allow
            for tile in part.tiles:
                rows, at = tile.rows(part.group), tile.columns
                top, total, block = tops[:, rows], totals[:, rows], summed[:, rows]
                tiled = queries[:, rows], keys[:, at].to(dtype), buffer, tile
                weights = part.scores(*tiled)
                # The sums say whether references are too low. A GPU would have to wait for them.
                low = tile.first or q.device.type != "cpu"
                sums = top if low else weights.sub_(top).exp2_().sum(-1, keepdim=True)
                if not low and not sums.amax() < LARGEST_SUM:
                    low, weights = True, part.scores(*tiled)
                if low:
                    new_top = torch.maximum(top, weights.amax(-1, keepdim=True))
                    _raise(top, new_top, () if tile.first else (total, block))
                    sums = weights.sub_(top).exp2_().sum(-1, keepdim=True)
                total.add_(sums)
                torch.baddbmm(block, weights, values[:, at].to(dtype), out=block)
            if sink is not None:  # one more score of every row, without a value
                logits = part.logits(sink.to(dtype).clamp_min(least), tops)
                _raise(tops, torch.maximum(tops, logits), (totals, summed))
                totals.add_(logits.sub(tops).exp2_())
            empty = totals == 0  # no visible key
            part.put(out, summed.div_(totals.masked_fill(empty, 1.0)))
            part.put(log_sums, tops.add_(totals.log2_()).masked_fill_(empty, float("inf")))
        ctx.save_for_backward(q, k, v, sink, out, log_sums)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, sink, out, log_sums = ctx.saved_tensors
        dq, dtype = torch.empty_like(q), log_sums.dtype
        dk, dv = (log_sums.new_zeros(x.shape) for x in (k, v))
        dsink = None if sink is None else log_sums.new_zeros(q.shape[1:3])
        buffers = log_sums.new_empty((2, ctx.room))
        for part in ctx.parts:
            queries, douts, log_sum = (part.rows(x) for x in (q, dout, log_sums))
            shift = part.rows(out).mul(douts).sum(-1, keepdim=True)
            dqueries = part.rows(dq).zero_()
            keys, values, dkeys, dvalues = (part.take(x) for x in (k, v, dk, dv))
            for tile in part.tiles:
                rows, at = tile.rows(part.group), tile.columns
                query, key = queries[:, rows], keys[:, at].to(dtype)
                weights = part.scores(query, key, buffers[0], tile)
                weights.sub_(log_sum[:, rows]).exp2_()
                dvalue, dkey, dquery = dvalues[:, at], dkeys[:, at], dqueries[:, rows]
                torch.baddbmm(dvalue, weights.mT, douts[:, rows], out=dvalue)
                dscores = buffers[1, : weights.numel()].view_as(weights)
                torch.bmm(douts[:, rows], values[:, at].to(dtype).mT, out=dscores)
                dscores.sub_(shift[:, rows]).mul_(weights)
                if part.softcap is not None:  # the derivative of the cap is 1 - tanh^2
                    tanh = part.products(query, key, buffers[0]).div_(part.softcap * LOG2E)
                    dscores.addcmul_(dscores, tanh.square_(), value=-1)
                torch.baddbmm(dkey, dscores.mT, query, alpha=part.scale, out=dkey)
                torch.baddbmm(dquery, dscores, key, alpha=part.scale, out=dquery)
            part.put(dq, dqueries)
            if dsink is not None:
                weights = part.logits(sink.to(dtype), shift).sub(log_sum).exp2_()
                dsink[part.heads] -= part.spread(weights.mul_(shift)).sum((0, 2, 4))
        dsink = dsink if dsink is None else dsink.flatten().to(sink.dtype)
        return dq, dk.to(k.dtype), dv.to(v.dtype), dsink, None, None


def _raise(top: Tensor, new_top: Tensor, sums: tuple[Tensor, ...]) -> None:
    """Raise the references `top`, and scale the sums so far."""
    shrink = top.sub_(new_top).exp2_()
    for each in sums:
        each.mul_(shrink)
    top.copy_(new_top)


@dataclass(frozen=True, slots=True)
class _Part:
    """Batch rows and key heads that are computed together, N = batch rows * heads."""

    batch: slice
    heads: slice
    group: int
    scale: float
    softcap: float | None
    bias: BiasValues | None
    tiles: list[Tile]

    def take(self, x: Tensor) -> Tensor:
        """[N, ...] of [B, Hk, ...]."""
        return x[self.batch, self.heads].flatten(0, 1)

    def rows(self, x: Tensor) -> Tensor:
        """[N, Tq * G, ...] of [B, Hk, G, Tq, ...], in the accumulation dtype."""
        x = self.take(x).transpose(1, 2).flatten(1, 2)
        return x.to(torch.promote_types(x.dtype, torch.float32))

    def spread(self, x: Tensor) -> Tensor:
        """[batch rows, heads, T, G, ...] of [N, T * G, ...]."""
        heads, length = self.heads.stop - self.heads.start, x.shape[1] // self.group
        return x.view(len(x) // heads, heads, length, self.group, x.shape[2])

    def put(self, x: Tensor, rows: Tensor) -> None:
        """Write rows to x [B, Hk, G, Tq, ...]; they may be its own memory, with equal strides."""
        x[self.batch, self.heads].squeeze().copy_(self.spread(rows).transpose(2, 3).squeeze())

    def logits(self, sink: Tensor, like: Tensor) -> Tensor:
        """The sink of every row in units of log 2, [N, T * G, 1]."""
        of_heads = torch.unflatten(sink, 0, (-1, self.group))[self.heads, None, :, None]
        return of_heads.mul(LOG2E).expand_as(self.spread(like)).reshape(like.shape)

    def products(self, queries: Tensor, keys: Tensor, buffer: Tensor) -> Tensor:
        """Scaled and capped products in units of log 2, [N, R * G, keys], in the buffer."""
        softcap, shape = self.softcap, (*queries.shape[:2], keys.shape[1])
        made = buffer[: prod(shape)].view(shape)
        factor = self.scale * (LOG2E if softcap is None else 1 / softcap)
        if shape[1] <= FEW:
            torch.mul(torch.bmm(keys, queries.mT).mT, factor, out=made)
        else:
            torch.baddbmm(made, queries, keys.mT, beta=0, alpha=factor, out=made)
        return made if softcap is None else made.tanh_().mul_(softcap * LOG2E)

    def scores(self, queries: Tensor, keys: Tensor, buffer: Tensor, tile: Tile) -> Tensor:
        """The products with the bias and the mask."""
        products = self.products(queries, keys, buffer)
        if self.bias is not None:
            added = self.bias.between(tile.positions, tile.keys)
            added = torch.unflatten(added, 0, (-1, self.group)).transpose(1, 2)
            self.spread(products).add_(added, alpha=LOG2E)
        if tile.limit is not None:  # 4 times as fast as masked_fill_
            partly = self.spread(products)[..., tile.partly_columns]
            torch.minimum(partly, tile.limit, out=partly)
        return products
