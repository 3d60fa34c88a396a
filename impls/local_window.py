"""Exact window attention, linear in T: blocks of queries with strips of keys (arXiv 2004.05150).

A block of queries sees one contiguous strip of keys: its own keys and the reach to both sides.
Strips overlap, but views of them lie at equal distances in memory, so the products of several
blocks are one batched product without a copy. A group of blocks is as large as the cache: scores
and weights are computed in place, in a buffer that the next group uses again.

The band and the bias depend on distances only. They are computed for one block and its strip, and
are the initial values to which the products are added. Padding and documents need no mask: they
bound the keys of some rows, and a strip ends there.

The backward pass recomputes the weights from the saved logarithm of the softmax sum (arXiv
2205.14135). A window without a limit on one side is correct, but not linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise, product
from math import log, prod
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

ALIGNED: Final = 32
"""Keys of a strip are a multiple of this: torch reduces rows of whole vector registers faster."""
LOG2_E: Final = 1 / log(2)
"""Scores are in units of log 2: torch.exp is 4 times slower where results are zero."""
BLOCK = 0
FACTOR = 1.0


@implementation(
    Limits(
        # Each row would need strips of its own.
        masks=tuple(k for k in EVERY_MASK if k.startswith("window") and "rows" not in k),
        biases=EVERY_BIAS,
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
    k       [B, Hk, Tk, D]; query heads of one key head are rows of one product
    v       [B, Hk, Tk, Dv]
    sink    [Hq]
    out     [B, Hq, Tq, Dv] in q's dtype; half precision accumulates in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    logits = None if sink is None else torch.unflatten(sink, 0, grouped.shape[1:3])
    strip = _strip(mask, bias, grouped, k.shape[2])
    settings = _Settings(mask, scale, softcap, *strip)
    out: Tensor = _LocalWindow.apply(grouped, k, v, logits, settings)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """The arguments without gradients, and the strip of a block.

    back    keys of a strip before the own key of the block's first row
    added   scores without the products, [Hk or 1, 1, G or 1, block, strip]: the bias within the
            band and minus infinity outside of it, in the dtype of the sums
    """

    mask: Mask
    scale: float
    softcap: float | None
    back: int
    added: Tensor


class _LocalWindow(torch.autograd.Function):
    """The autograd function. q [B, Hk, G, Tq, D], G = Hq / Hk; k [B, Hk, Tk, D], v [..., Dv]."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - torch passes what apply gets
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, sink: Tensor | None, settings: _Settings
    ) -> Tensor:
        out = q.new_zeros((*q.shape[:-1], v.shape[-1]))
        tops, totals = torch.zeros((2, *q.shape[:-1], 1), dtype=settings.added.dtype, device=q.device)
        groups = list(_groups(settings, q, k))
        buffer, sums = (_buffer(groups, c, settings.added) for c in (None, v.shape[-1]))
        for group in groups:
            weights, _ = group.scores(buffer, q, k)
            top = torch.amax(weights, -1, keepdim=True, out=group.rows(tops))
            if group.is_cut:  # It may have rows without a visible key: weights and total become 0.
                top.clamp_min_(torch.finfo(top.dtype).min)
            if sink is not None:
                torch.maximum(top, group.logits(sink), out=top)
            weights.sub_(top).exp2_()
            total = torch.sum(weights, -1, keepdim=True, out=group.rows(totals))
            if sink is not None:
                total += (group.logits(sink) - top).exp2_()
            summed = group.product(sums, weights, group.strips(v))
            # The maximum adds 1 to the total of other rows.
            torch.div(summed, total.clamp_min(1.0) if group.is_cut else total, out=group.rows(out))
        log_sums = tops.add_(totals.log2()).masked_fill_(totals == 0, float("inf"))
        ctx.save_for_backward(q, k, v, sink, out, log_sums)
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, sink, out, log_sums = ctx.saved_tensors
        settings: _Settings = ctx.settings
        scale, dtype = settings.scale, settings.added.dtype
        dq = torch.zeros_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=dtype, device=x.device) for x in (k, v))
        dsink = None if sink is None else torch.zeros_like(sink)
        groups = list(_groups(settings, q, k))
        sizes = (None, None, q.shape[-1])
        first, second, sums = (_buffer(groups, c, settings.added) for c in sizes)
        for group in groups:
            log_sum, drows = group.rows(log_sums), group.rows(dout).to(dtype)
            weights, slope = group.scores(first, q, k)
            weights.sub_(log_sum).exp2_()
            shift = (drows * group.rows(out)).sum(-1, keepdim=True)
            if sink is not None:
                lost = (group.logits(sink) - log_sum).exp2_().mul_(shift)
                dsink[group.heads] -= lost.sum((0, 2, 4, 5))
            dscores = group.product(second, drows, group.strips(v).mT).sub_(shift).mul_(weights)
            if slope is not None:
                dscores.mul_(slope)
            group.add_to_keys(dv, weights, drows)
            group.add_to_keys(dk, dscores, group.rows(q).to(dtype), scale)
            dqueries = group.product(sums, dscores, group.strips(k), scale)
            group.rows(dq).copy_(dqueries)
        return dq, dk.to(k.dtype), dv.to(v.dtype), dsink, None


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """`count` adjacent blocks of `size` rows, of some batch rows and key heads.

    row     first row of the first block
    key     first key of the first strip; each block moves it by `size`
    length  keys of a strip
    column  of the first key in `added`
    height  rows of all its batch rows and query heads
    is_cut  whether the keys end within the strip, so that a row may see no key
    """

    settings: _Settings
    batch: slice
    heads: slice
    row: int
    count: int
    size: int
    key: int
    length: int
    column: int
    height: int
    is_cut: bool

    def rows(self, x: Tensor) -> Tensor:
        """Rows of [B, Hk, G, Tq, C] as a view, [B', Hk', count, G, size, C]."""
        rows = x[self.batch, self.heads, :, self.row : self.row + self.count * self.size]
        return rows.unflatten(3, (self.count, self.size)).transpose(2, 3)

    def strips(self, x: Tensor) -> Tensor:
        """Keys of [B, Hk, Tk, C], [B', Hk', count, length, C]: a view except in half precision."""
        end = self.key + (self.count - 1) * self.size + self.length
        keys = x[self.batch, self.heads, self.key : end].to(self.settings.added.dtype)
        return keys.unfold(2, self.length, self.size).mT

    def logits(self, sink: Tensor) -> Tensor:
        """The sinks of [Hk, G], [Hk', 1, G, 1, 1]."""
        return sink[self.heads, None, :, None, None].to(self.settings.added.dtype) * LOG2_E

    def scores(self, buffer: Tensor, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None]:
        """Scores [B', Hk', count, G, size, length] in the buffer, and the slope of a softcap."""
        scale, softcap = self.settings.scale, self.settings.softcap
        added = self.settings.added[..., : self.size, self.column : self.column + self.length]
        added = added if len(added) == 1 else added[self.heads]
        queries, keys = self.rows(q).to(added.dtype), self.strips(k).mT
        if softcap is None:
            shape = (*queries.shape[:-1], self.length)
            scores = buffer[: prod(shape)].view(shape).copy_(added)
            return self.product(buffer, queries, keys, scale * LOG2_E, beta=1.0), None
        scores = self.product(buffer, queries, keys, scale / softcap).tanh_()
        slope = scores.square().neg_().add_(1.0)
        return scores.mul_(softcap * LOG2_E).add_(added), slope

    def product(
        self, buffer: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0, beta: float = 0.0
    ) -> Tensor:
        """alpha a @ b in the buffer, [B', Hk', count, G, size, columns]; b has no G and size."""
        shape = (*a.shape[:-1], b.shape[-1])
        result = buffer[: prod(shape)].view(shape)
        _add_product(result.flatten(3, 4), a.flatten(3, 4), b, alpha, beta)
        return result

    def add_to_keys(self, x: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0) -> None:
        """Add alpha a^T @ b to the strips of x: one product for each block of keys in a strip.

        Blocks of keys at one place of their strips do not overlap.
        """
        step = self.size if self.count > 1 else self.length
        a, b = a.flatten(3, 4).mT, b.flatten(3, 4)
        for start in range(0, self.length, step):
            width = min(step, self.length - start)
            first = self.key + start
            end = first + (self.count - 1) * self.size + width
            keys = x[self.batch, self.heads, first:end].unfold(2, width, step).mT
            _add_product(keys, a[..., start : start + width, :], b, alpha, 1.0)


def _groups(settings: _Settings, q: Tensor, k: Tensor) -> Iterator[_Group]:
    """Groups with every row that sees a key once; their scores fill the cache at most."""
    heads, group, length = q.shape[1:4]
    most = int(FACTOR * _cache_bytes(q.device)) // settings.added.element_size()
    for batch, rows, keys in _segments(settings.mask, len(q), length, k.shape[2]):
        for row, total, size, first, last in _runs(settings, rows, keys, k.shape[2] - length):
            start, end = max(first, keys.start), min(last, keys.stop)
            each = group * size * (end - start)
            count = min(max(most // each, 1), total)
            planes = min(max(most // (each * count), 1), heads)
            depth = max(most // (each * count * planes), 1)
            for b, h, i in product(batch[::depth], range(0, heads, planes), range(0, total, count)):
                here = slice(b, min(b + depth, batch.stop)), slice(h, min(h + planes, heads))
                blocks = min(count, total - i)
                height = (here[0].stop - b) * (here[1].stop - h) * group * blocks * size
                at = row + i * size, blocks, size, start + i * size
                yield _Group(settings, *here, *at, end - start, start - first, height, last - first > end - start)


def _segments(
    mask: Mask, batch: int, length: int, key_length: int
) -> Iterator[tuple[range, range, range]]:
    """Batch rows, and queries with the keys that padding and documents let them see."""
    bounds = [(range(batch), range(key_length))]
    if isinstance(mask.padding, tuple):
        bounds = [(range(b, b + 1), range(*real)) for b, real in enumerate(mask.padding)]
    for rows, real in bounds:
        if mask.documents is None:
            yield rows, range(length), range(real.start, min(real.stop, key_length))
        else:
            for start, end in pairwise((0, *accumulate(mask.documents))):
                yield rows, range(start, end), range(max(start, real.start), min(end, real.stop))


def _runs(
    settings: _Settings, rows: range, keys: range, offset: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """Row, number and size of adjacent blocks, with the strip [first, last) of the first block.

    Blocks whose strips `keys` cut short, and a last block of fewer rows, are alone.
    """
    block, strip = settings.added.shape[-2:]
    row = rows.start
    while row < rows.stop:
        first = row + offset - settings.back
        size, last = min(block, rows.stop - row), first + strip
        whole = size == block and keys.start <= first and last <= keys.stop
        count = min((rows.stop - row) // block, (keys.stop - last) // block + 1) if whole else 1
        if max(first, keys.start) < min(last, keys.stop):
            yield row, count, size, first, last
        row += count * size


def _strip(
    mask: Mask, bias: BiasValues | None, q: Tensor, key_length: int
) -> tuple[int, Tensor]:
    """`back` and `added` of the settings."""
    heads, length = q.shape[1:3], q.shape[3]
    back = min(mask.left or key_length, key_length) - 1
    ahead = length - 1 if mask.right is None else min(mask.right, length - 1)
    block = min(BLOCK or 64, length)
    back += -(back + block + ahead) % ALIGNED
    rows, columns = range(back, back + block), range(back + block + ahead)
    at, keys = (torch.arange(x.start, x.stop, device=q.device) for x in (rows, columns))
    band = replace(mask, padding=None, documents=None).visible(0, at[:, None], keys)
    dtype = torch.promote_types(q.dtype, torch.float32)
    added = torch.zeros(1, 1, 1, *band.shape, dtype=dtype, device=q.device)
    if bias is not None:
        added = torch.unflatten(bias.between(rows, columns).to(dtype), 0, heads).unsqueeze(1) * LOG2_E
    return back, added.masked_fill(~band, float("-inf"))


def _buffer(groups: list[_Group], columns: int | None, like: Tensor) -> Tensor:
    """Room for the scores of any group, or for its rows with so many columns."""
    return like.new_empty(max((g.height * (columns or g.length) for g in groups), default=0))


def _add_product(into: Tensor, a: Tensor, b: Tensor, alpha: float, beta: float) -> None:
    """beta * into + alpha * a @ b, in place, with any number of leading dimensions.

    One batched product if the leading dimensions of all three merge to one without a copy.
    """
    if into.dim() > 3 and not all(map(_merges, (into, a, b))):
        for each in zip(into, a, b, strict=True):
            _add_product(*each, alpha, beta)
    else:
        merged, a, b = (x.flatten(0, -3) for x in (into, a, b))
        merged.baddbmm_(a, b, alpha=alpha, beta=beta)


def _merges(x: Tensor) -> bool:
    leading = [(n, s) for n, s in zip(x.shape[:-2], x.stride(), strict=False) if n > 1]
    return all(s == n2 * s2 for (_, s), (n2, s2) in pairwise(leading))


@lru_cache
def _cache_bytes(device: torch.device) -> int:
    """Bytes of the second-level cache, of all threads together on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return 524288 * torch.get_num_threads()
