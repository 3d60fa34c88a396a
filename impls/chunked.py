"""Exact attention tile by tile, never holding all Tq x Tk scores (arXiv 2112.05682, 2205.14135).

Online softmax: each row of queries has a reference score and the sum of exp(score - reference).
A tile whose scores exceed the reference by far raises it to their maximum, and scales the partial
sums by exp(old - new). Other tiles leave it: the quotient of the sums is the same for every
reference. The backward pass recomputes the weights of a tile from the saved logarithm of the sum.

Scores are in units of log 2, so that exp2 makes the weights: torch's exp on a CPU takes 4 times as
long for -inf, the score of a hidden pair, and exp2 does not. Tiles fit the cache of a core; each
holds as many heads as there are threads. Hidden tiles are skipped. A sink is the first reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, log, prod
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.rows import slices

BLOCKS: Final = (64, 128, 256, 512, 1024)
"""Rows of a block that are worth trying."""
LOG2E: Final = 1 / log(2)
LARGEST_SUM: Final = 2.0**12
"""A tile with a larger sum of exp(score - reference) in some row raises the references."""
TILE = 2; RF=256; RC=128
CACHE_BYTES: Final = 1 << 20
"""Second-level cache of a core where the system does not report it."""


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
    """Attention in tiles of `block_q` queries and `block_k` keys; None: by the cache of a core.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]; queries that share a key head are multiplied with a block together
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype; half precision is computed in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    settings = _Settings(mask, scale, bias, softcap, (block_q, block_k))
    out: Tensor = _Chunked.apply(grouped, k, v, sink, settings)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """The arguments without gradients; `blocks` are the sizes of query and key blocks."""

    mask: Mask
    scale: float
    bias: BiasValues | None
    softcap: float | None
    blocks: tuple[int | None, int | None]


class _Chunked(torch.autograd.Function):
    """The autograd function. q [B, Hk, G, Tq, D], G = Hq / Hk; k [B, Hk, Tk, D], v [..., Dv]."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, sink: Tensor | None, settings: _Settings
    ) -> Tensor:
        # The layout of q. Tensor.dim_order() would import sympy, 0.5 s once a process.
        order = sorted(range(q.dim()), key=q.stride, reverse=True)
        shape = (*q.shape[:-1], v.shape[-1])
        out = torch.empty_permuted(shape, order, dtype=q.dtype, device=q.device)
        log_sums = torch.empty((*q.shape[:-1], 1), dtype=_sum_dtype(q.dtype), device=q.device)
        sizes = _sizes(settings, q, k)
        buffer = log_sums.new_empty(prod(sizes) * q.shape[2])
        for part in _parts(settings, q, k, sizes):
            queries, keys, values = part.rows(q), part.take(k), part.take(v)
            top = queries.new_full((*queries.shape[:2], 1), torch.finfo(queries.dtype).min)
            total, summed = torch.zeros_like(top), queries.new_zeros((*queries.shape[:2], v.shape[-1]))
            for rows, tiles in part.blocks:
                states = top[:, rows], total[:, rows], summed[:, rows]
                _attend(part, tiles, (queries[:, rows], keys, values), states, buffer)
            if sink is not None:
                logits = part.sink(sink, top)
                shrink = top.sub(logits).clamp_max_(0).exp2_()
                torch.maximum(top, logits, out=top)
                total.mul_(shrink).add_(logits.sub(top).exp2_())
                summed.mul_(shrink)
            hidden = total == 0  # no visible key
            part.put(out, summed.div_(total.masked_fill_(hidden, 1.0)))
            part.put(log_sums, top.add_(total.log2_()).masked_fill_(hidden, float("inf")))
        ctx.save_for_backward(q, k, v, sink, out, log_sums)
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, sink, out, log_sums = ctx.saved_tensors
        settings: _Settings = ctx.settings
        dq = torch.empty_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=log_sums.dtype, device=x.device) for x in (k, v))
        dsink = None if sink is None else log_sums.new_zeros(q.shape[1:3])
        sizes = _sizes(settings, q, k, share=2)
        buffers = log_sums.new_empty((2, prod(sizes) * q.shape[2]))
        for part in _parts(settings, q, k, sizes):
            queries, douts, log_sum = part.rows(q), part.rows(dout), part.rows(log_sums)
            shift = part.rows(out).mul(douts).sum(-1, keepdim=True)
            dqueries = torch.zeros_like(queries)
            keys, values, dkeys, dvalues = map(part.take, (k, v, dk, dv))
            for rows, tiles in part.blocks:
                of_rows = [x[:, rows] for x in (queries, douts, log_sum, shift, dqueries)]
                _differentiate(part, tiles, of_rows, (keys, values, dkeys, dvalues), buffers)
            part.put(dq, dqueries)
            if dsink is not None:
                lost = part.sink(sink, shift).sub(log_sum).exp2_().mul_(shift)
                dsink[part.heads] -= part.spread(lost).sum((0, 2, 4))
        dsink = None if dsink is None else dsink.flatten().to(sink.dtype)
        return dq, dk.to(k.dtype), dv.to(v.dtype), dsink, None


def _attend(part, tiles, inputs, states, buffer) -> None:
    queries, keys, values = inputs
    top, total, summed = states
    for index, tile in enumerate(tiles):
        key, value = _keys(keys, tile.keys), _keys(values, tile.keys)
        if index == 0:
            weights = part.scores(part.products(queries, key, buffer), tile)
            torch.maximum(top, weights.amax(-1, keepdim=True), out=top)
            weights.sub_(top).exp2_()
            torch.sum(weights, -1, keepdim=True, out=total)
            torch.baddbmm(summed, weights, value, out=summed)
            continue
        weights = part.scores(part.products(queries, key, buffer), tile)
        sums = weights.sub_(top).exp2_().sum(-1, keepdim=True)
        if not sums.amax() < LARGEST_SUM:
            weights = part.scores(part.products(queries, key, buffer), tile)
            new_top = torch.maximum(top, weights.amax(-1, keepdim=True))
            shrink = top.sub_(new_top).exp2_()
            total.mul_(shrink)
            summed.mul_(shrink)
            top.copy_(new_top)
            sums = weights.sub_(top).exp2_().sum(-1, keepdim=True)
        total.add_(sums)
        torch.baddbmm(summed, weights, value, out=summed)


def _differentiate(part, tiles, of_rows, of_keys, buffers) -> None:
    queries, douts, log_sum, shift, dqueries = of_rows
    for tile in tiles:
        keys, values = (_keys(x, tile.keys) for x in of_keys[:2])
        dkeys, dvalues = (x[:, tile.keys] for x in of_keys[2:])
        weights = part.products(queries, keys, buffers[0])
        slope = part.slope(weights)
        weights = part.scores(weights, tile).sub_(log_sum).exp2_()
        torch.baddbmm(dvalues, weights.mT, douts, out=dvalues)
        dscores = torch.bmm(douts, values.mT, out=_view(buffers[1], weights.shape))
        dscores.sub_(shift).mul_(weights)
        dproducts = dscores if slope is None else dscores.mul_(slope)
        scale = part.settings.scale
        torch.baddbmm(dkeys, dproducts.mT, queries, alpha=scale, out=dkeys)
        torch.baddbmm(dqueries, dproducts, keys, alpha=scale, out=dqueries)


@dataclass(frozen=True, slots=True)
class _Tile:
    """A block of keys for a block of R queries.

    keys    of the block
    hidden  pieces of the block's keys with pairs that the mask hides, [batch or 1, 1, R, 1, piece]
    added   the bias in units of log 2, [heads, R, G, keys]; None without one
    """

    keys: slice
    hidden: tuple[tuple[slice, Tensor], ...]
    spans: tuple[range, range]


@dataclass(frozen=True, slots=True)
class _Part:
    """Batch rows and key heads that are computed together, N = batch rows * heads.
    """

    batch: slice
    heads: slice
    group: int
    settings: _Settings
    bias: BiasValues | None
    blocks: list[tuple[slice, list[_Tile]]]

    def take(self, x: Tensor) -> Tensor:
        """[N, ...] of [B, Hk, ...]."""
        return x[self.batch, self.heads].flatten(0, 1)

    def rows(self, x: Tensor) -> Tensor:
        """[N, Tq * G, ...] of [B, Hk, G, Tq, ...], in the accumulation dtype."""
        return self.take(x).transpose(1, 2).flatten(1, 2).to(_sum_dtype(x.dtype))

    def spread(self, x: Tensor) -> Tensor:
        """[batch rows, heads, T, G, ...] of [N, T * G, ...]."""
        heads = self.heads.stop - self.heads.start
        return x.view(-1, heads, x.shape[1] // self.group, self.group, x.shape[2])

    def put(self, x: Tensor, rows: Tensor) -> None:
        x[self.batch, self.heads] = self.spread(rows).transpose(2, 3)

    def sink(self, sink: Tensor, like: Tensor) -> Tensor:
        logits = sink.to(like.dtype).mul(LOG2E).unflatten(0, (-1, self.group))[self.heads]
        logits = logits.clamp_min(torch.finfo(like.dtype).min)
        return logits[None, :, None, :, None].expand_as(self.spread(like)).reshape(like.shape)

    def products(self, queries: Tensor, keys: Tensor, buffer: Tensor) -> Tensor:
        """Scaled and capped products in units of log 2, [N, G * R, keys], in the buffer."""
        softcap = self.settings.softcap
        made = _view(buffer, (*queries.shape[:2], keys.shape[1]))
        factor = self.settings.scale * (LOG2E if softcap is None else 1 / softcap)
        torch.baddbmm(made, queries, keys.mT, beta=0, alpha=factor, out=made)
        return made if softcap is None else made.tanh_().mul_(softcap * LOG2E)

    def slope(self, capped: Tensor) -> Tensor | None:
        """Derivative of the capped product, 1 - tanh^2; None without a softcap, where it is 1."""
        softcap = self.settings.softcap
        return None if softcap is None else (capped / (softcap * LOG2E)).square_().neg_().add_(1)

    def scores(self, products: Tensor, tile: _Tile) -> Tensor:
        """Scores: adds the bias and the mask to the products in place."""
        if self.bias is not None:
            added = self.bias.between(*tile.spans).unflatten(0, (-1, self.group))
            self.spread(products).add_(added.transpose(1, 2))
        for piece, hidden in tile.hidden:
            self.spread(products)[..., piece].masked_fill_(hidden, float("-inf"))
        return products


def _blocks(mask: Mask, lengths: tuple[int, int], sizes: tuple[int, int], group: int, device) -> list[tuple[slice, list[_Tile]]]:
    """Each block of query rows, within one row of a packed batch, with the tiles it sees."""
    queries, keys = lengths
    made = []
    hidden = lru_cache(maxsize=None)(lambda *a: _hidden(mask, device, *a))
    for span in [slice(0, queries)] if mask.rows is None else [each for each, _ in slices(mask.rows)]:
        for start in range(span.start, span.stop, sizes[0]):
            stop = min(start + sizes[0], span.stop)
            positions = range(start + keys - queries, stop + keys - queries)
            made.append((slice(start * group, stop * group), _tiles(mask, positions, keys, sizes[1], hidden)))
    return made


def _tiles(mask: Mask, positions: range, length: int, most: int, hidden) -> list[_Tile]:
    start, end = mask.span(positions[0], positions[-1], length)
    seen = _seen_by_all(mask, positions, length)
    origin_free = mask.padding is mask.documents is mask.rows is None
    made = []
    for keys in _split(start, end, most):
        pieces = (
            (keys.start, min(keys.stop, max(keys.start, seen.start))),
            (max(keys.start, min(keys.stop, seen.stop)), keys.stop),
        ) if seen else ((keys.start, keys.stop),)
        found = []
        for first, last in pieces:
            if first < last:
                shift = first if origin_free else 0
                found.append((slice(first - keys.start, last - keys.start), hidden(range(positions.start - shift, positions.stop - shift), range(first - shift, last - shift))))
        made.append(_Tile(slice(keys.start, keys.stop), tuple(found), (positions, keys)))
    return made


def _parts(settings: _Settings, q: Tensor, k: Tensor, sizes: tuple[int, int, int, int]) -> Iterator[_Part]:
    rows, heads, group, mask = len(q), q.shape[1], q.shape[2], settings.mask
    blocks = None
    for first in range(0, rows, sizes[0]):
        batch = slice(first, min(first + sizes[0], rows))
        own = replace(mask, padding=mask.padding[batch]) if isinstance(mask.padding, tuple) else mask
        if blocks is None or own != mask:
            blocks = _blocks(own, (q.shape[3], k.shape[2]), sizes[2:], group, q.device)
        for head in range(0, heads, sizes[1]):
            some = slice(head, min(head + sizes[1], heads))
            bias = settings.bias
            if bias is not None:
                values = bias.values[head * group : some.stop * group].to(_sum_dtype(q.dtype)) * LOG2E
                bias = replace(bias, values=values)
            yield _Part(batch, some, group, settings, bias, blocks)


def _hidden(mask: Mask, device: torch.device, positions: range, keys: range) -> Tensor:
    batch = torch.arange(len(mask.padding) if isinstance(mask.padding, tuple) else 1, device=device)
    queries = torch.arange(positions.start, positions.stop, device=device)[:, None, None]
    columns = torch.arange(keys.start, keys.stop, device=device)
    return ~mask.visible(batch[:, None, None, None, None], queries, columns)


def _seen_by_all(mask: Mask, positions: range, length: int) -> range:
    """The keys that every position sees, in every batch row."""
    rows = range(len(mask.padding) if mask.padding is not None else 1)
    runs = [mask.interval(b, p, length) for b in rows for p in (positions[0], positions[-1])]
    return range(max(s for s, _ in runs), min(e for _, e in runs))


def _split(start: int, end: int, most: int) -> Iterator[range]:
    """Ranges of nearly equal length, a multiple of 16, of at most `most` keys."""
    if start < end:
        step = ceil(ceil((end - start) / ceil((end - start) / most)) / 16) * 16
        for begin in range(start, end, step):
            yield range(begin, min(begin + step, end))


def _sizes(settings: _Settings, q: Tensor, k: Tensor, share: int = 1) -> tuple[int, int, int, int]:
    """Batch rows and key heads of a part, queries and keys of a tile."""
    batch, heads, group, length, _ = q.shape
    cores = torch.get_num_threads() if q.device.type == "cpu" else 1
    room = TILE * _cache_bytes(q.device) // share // 4
    rows = min(length, settings.blocks[0] or max(1, (RF if settings.mask.is_full else RC) // group))
    keys = min(k.shape[2], settings.blocks[1] or max(64, room // (rows * group) // 16 * 16))
    count = max(1, cores * room // (group * rows * keys))
    n = min(heads, max(cores, count))
    return max(1, min(batch, count // heads)) if n == heads else 1, n, rows, keys


@lru_cache(maxsize=8)
def _cache_bytes(device: torch.device) -> int:
    return 512<<10


def _view(buffer: Tensor, shape: tuple[int, ...]) -> Tensor:
    return buffer[: prod(shape)].view(shape)


def _keys(x: Tensor, keys: slice) -> Tensor:
    return x[:, keys].to(_sum_dtype(x.dtype))


def _sum_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
