"""Exact window attention, linear in T: blocks of queries with strips of keys (arXiv 2004.05150).

A block of queries sees one strip of keys: its own keys and the reach to both sides. Strips overlap,
but lie at equal distances in memory, so the products of several blocks are one batched product of
views. Such a group fits the cache: its scores are computed in place, in a buffer for all groups.

The band and the bias depend on distances only. They are computed for one block and its strip, and
the product of queries and keys is added to them. Padding and documents need no mask: they bound the
keys of some rows, and a strip ends there. The backward pass recomputes the weights from the saved
logarithm of their sum (arXiv 2205.14135). Without a limit on one side it is correct, not linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product
from math import isqrt, log
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import BY_DISTANCE, EVERY_MASK

LN_2: Final = log(2)
"""Scores are in units of ln 2: torch.exp takes 4 times as long for results of 0, exp2 does not."""
ALIGNED: Final = 32
"""Keys of a strip are a multiple of this: torch reduces rows of whole vectors faster."""
L2: Final = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")


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

    q     [B, Hq, Tq, D]
    k, v  [B, Hk, Tk, D or Dv]; the query heads of a key head are rows of one product
    sink  [Hq]
    out   [B, Hq, Tq, Dv] in q's dtype; half precision is computed in float32
    """
    grouped = torch.unflatten(q, 1, (k.shape[1], -1))
    back, added = _strip(mask, bias, grouped, k.shape[2])
    logits = None if sink is None else sink.to(added.dtype).view(grouped.shape[1:3]) / LN_2
    # Without padding and with Tq <= Tk every row sees its own key at least.
    if logits is None and (mask.padding is not None or q.shape[2] > k.shape[2]):
        logits = added.new_full(grouped.shape[1:3], torch.finfo(added.dtype).min)
    settings = _Settings(mask, scale / LN_2, softcap, back, added)
    out: Tensor = _LocalWindow.apply(grouped, k, v, logits, settings)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Settings:
    """The arguments without gradients, and the strip of a block.

    back    keys of a strip before the own key of the block's first row
    added   scores without the product, [Hk or 1, 1, G or 1, block, strip]: the bias within the band
            and minus infinity outside of it, in the dtype of all sums
    """

    mask: Mask
    scale: float
    softcap: float | None
    back: int
    added: Tensor


class _LocalWindow(torch.autograd.Function):
    """q [B, Hk, G, Tq, D], G = Hq / Hk; sink [Hk, G], -1e38 where only rows may be without keys."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        q, k, v, sink, settings = inputs
        # With sinks there may be rows that no group has.
        out: Tensor = (q.new_empty if sink is None else q.new_zeros)((*q.shape[:-1], v.shape[-1]))
        tops, totals = settings.added.new_zeros((2, *q.shape[:-1], 1))
        scores, sums = _buffers(settings, q, v)
        for group in _groups(settings, q, k, v):
            weights, _ = group.scores(scores, q, k)
            top = torch.amax(weights, -1, keepdim=True, out=group.rows(tops))
            if sink is not None:
                torch.maximum(top, group.logits(sink), out=top)
            weights.sub_(top).exp2_()
            total = torch.sum(weights, -1, keepdim=True, out=group.rows(totals))
            if sink is not None:
                total += (group.logits(sink) - top).exp2_()
            summed = group.product(sums, weights, group.strips(v))
            torch.div(summed, total, out=group.rows(out))
        ctx.save_for_backward(q, k, v, sink, out, tops.add_(totals.log2_()))
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, sink, out, log_sums = ctx.saved_tensors
        settings, scale = ctx.settings, ctx.settings.scale * LN_2
        dtype = settings.added.dtype
        first, sums = _buffers(settings, q, q)
        second, dq = torch.empty_like(first), torch.zeros_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=dtype, device=x.device) for x in (k, v))
        dsink = torch.zeros_like(sink) if ctx.needs_input_grad[3] else None
        for group in _groups(settings, q, k, v):
            log_sum, drows = group.rows(log_sums), group.rows(dout).to(dtype)
            weights, slope = group.scores(first, q, k)
            weights.sub_(log_sum).exp2_()
            shift = (drows * group.rows(out)).sum(-1, keepdim=True)
            if dsink is not None:
                lost = (group.logits(sink) - log_sum).exp2_().mul_(shift)
                dsink[group.heads] -= lost.sum((1, 3, 4)) * LN_2
            dscores = group.product(second, drows, group.strips(v).mT).sub_(shift).mul_(weights)
            if slope is not None:
                dscores.mul_(slope)
            group.add_to_keys(dv, weights, drows)
            group.add_to_keys(dk, dscores, group.rows(q).to(dtype), scale)
            group.rows(dq).copy_(group.product(sums, dscores, group.strips(k), scale))
        return dq, dk.to(k.dtype), dv.to(v.dtype), dsink, None


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """N = `count` adjacent blocks of R = `size` rows, of H key heads of a batch row.

    row     first row of the first block
    key     first key of the first strip, column `column` of `added`; the next begins R keys later
    length  keys of a strip, L
    """

    settings: _Settings
    batch: int
    heads: slice
    count: int
    size: int
    row: int
    key: int
    length: int
    column: int

    def rows(self, x: Tensor) -> Tensor:
        """Rows of [B, Hk, G, Tq, C] as a view, [H, N, G, R, C]."""
        batch, head, group, time, column = x.stride()
        start = self.batch * batch + self.heads.start * head + self.row * time
        shape = (self.heads.stop - self.heads.start, self.count, x.shape[2], self.size, x.shape[4])
        steps = (head, self.size * time, group, time, column)
        return x.as_strided(shape, steps, x.storage_offset() + start)

    def strips(self, x: Tensor) -> Tensor:
        """Strips of [B, Hk, Tk, C], [H, N, L, C]: a view, in half precision of a float32 copy."""
        end = self.key + (self.count - 1) * self.size + self.length
        keys = x[self.batch, self.heads, self.key : end].to(self.settings.added.dtype)
        return keys.unfold(1, self.length, self.size).mT

    def logits(self, sink: Tensor) -> Tensor:
        return sink[self.heads, None, :, None, None]

    def scores(self, buffer: Tensor, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor | None]:
        """Scores [H, N, G, R, L] in the buffer, and the derivative of a softcap."""
        scale, softcap = self.settings.scale, self.settings.softcap
        added = self.settings.added[..., : self.size, self.column : self.column + self.length]
        added = added if len(added) == 1 else added[self.heads]
        queries, keys = self.rows(q).to(added.dtype), self.strips(k).mT
        if softcap is None:
            return self.product(buffer, queries, keys, scale, added), None
        capped = self.product(buffer, queries, keys, scale * LN_2 / softcap).tanh_()
        slope = 1.0 - capped.square()
        return capped.mul_(softcap / LN_2).add_(added), slope

    def product(
        self, buffer: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0, added: Tensor | None = None
    ) -> Tensor:
        """Compute added + alpha a @ b in the buffer: a [H, N, G, R, M], b [H, N, M, C]."""
        shape = torch.Size((*a.shape[:-1], b.shape[-1]))
        result = buffer[: shape.numel()].view(shape)
        if added is not None:
            result.copy_(added)
        _add_product(result.flatten(2, 3), a.flatten(2, 3), b, alpha, float(added is not None))
        return result

    def add_to_keys(self, x: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0) -> None:
        """Add alpha a^T @ b to the strips of x, part by part: the same parts do not overlap."""
        part = self.size if self.count > 1 else self.length
        a, b = a.flatten(2, 3).mT, b.flatten(2, 3)
        for start in range(0, self.length, part):
            at = replace(self, key=self.key + start, length=min(part, self.length - start))
            _add_product(at.strips(x), a[..., start : start + at.length, :], b, alpha, 1.0)


def _add_product(into: Tensor, a: Tensor, b: Tensor, alpha: float, beta: float) -> None:
    """Set `into` to beta * into + alpha * a @ b, [H, N, ...]: a batch of N, or of H if N = 1."""
    if into.shape[1] == 1:
        into, a, b = (x.transpose(0, 1) for x in (into, a, b))
    for each, left, right in zip(into, a, b, strict=True):
        each.baddbmm_(left, right, alpha=alpha, beta=beta)


def _strip(mask: Mask, bias: BiasValues | None, q: Tensor, key_length: int) -> tuple[int, Tensor]:
    """`back` and `added` of the settings."""
    heads, length = q.shape[1:3], q.shape[3]
    back = min(mask.left or key_length, key_length) - 1
    ahead = length - 1 if mask.right is None else min(mask.right, length - 1)
    # Short blocks waste fewer products, long ones multiply faster.
    block = min(max(1 << (isqrt(4 * (back + ahead)) - 1).bit_length(), 32), 128, length)
    back += -(back + block + ahead) % ALIGNED
    rows, columns = range(back, back + block), range(back + block + ahead)
    at, keys = (torch.arange(x.start, x.stop, device=q.device) for x in (rows, columns))
    band = replace(mask, padding=None, documents=None).visible(0, at[:, None], keys)
    dtype = torch.promote_types(q.dtype, torch.float32)
    added = torch.zeros(1, 1, 1, *band.shape, dtype=dtype, device=q.device)
    if bias is not None:
        added = torch.unflatten(bias.between(rows, columns), 0, heads)[:, None].to(dtype) / LN_2
    return back, added.masked_fill(~band, float("-inf"))


def _groups(settings: _Settings, q: Tensor, k: Tensor, v: Tensor) -> Iterator[_Group]:
    """Groups with every row that sees a key once.

    Blocks whose strips are cut short, and a last block of fewer rows, are groups of their own.
    """
    (heads, group, length), (block, strip) = q.shape[1:4], settings.added.shape[-2:]
    most = _most_scores(settings, q, v)
    for batch, rows, keys in _segments(settings.mask, len(q), length, k.shape[2]):
        row = rows.start
        while row < rows.stop:
            size = min(block, rows.stop - row)
            first = row + k.shape[2] - length - settings.back
            start, end = max(first, keys.start), min(first + strip, keys.stop)
            count, scores = 1, group * size * max(end - start, 1)
            if size == block and end - start == strip:
                fits = (rows.stop - row) // block, (keys.stop - end) // block + 1, most // scores
                count = max(min(fits), 1)
            step = max(most // (scores * count), 1)
            for head in range(0, heads if start < end else 0, step):
                here = batch, slice(head, min(head + step, heads))
                yield _Group(settings, *here, count, size, row, start, end - start, start - first)
            row += count * size


def _segments(
    mask: Mask, batch: int, length: int, key_length: int
) -> Iterator[tuple[int, range, range]]:
    """A batch row, and queries with the keys that padding and documents let them see."""
    spans = [(range(length), range(key_length))]
    if mask.documents is not None:
        spans = [(range(*x), range(*x)) for x in pairwise((0, *accumulate(mask.documents)))]
    padding = mask.resolved(batch, key_length).padding
    for row, (queries, keys) in product(range(batch), spans):
        start, end = padding[row] if isinstance(padding, tuple) else (0, key_length)
        yield row, queries, range(max(keys.start, start), min(keys.stop, end))


def _most_scores(settings: _Settings, q: Tensor, v: Tensor) -> int:
    """Scores of a group: they fill twice the second-level caches, or are a quarter of the output.

    A CPU's caches are those of all threads; 1 MiB each where Linux does not report the size.
    """
    if q.is_cuda:
        cache = int(torch.cuda.get_device_properties(q.device).L2_cache_size)
    else:
        reported = L2.read_text().strip() if L2.exists() else "1024K"
        cache = int(reported.removesuffix("K")) * 1024 * torch.get_num_threads()
    quarter = q[..., 0].numel() * v.shape[-1] // 4
    return max(min(2 * cache // settings.added.element_size(), quarter), 1)


def _buffers(settings: _Settings, q: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Room for the scores of any group, and for its rows with the columns of v."""
    (heads, group), (block, strip) = q.shape[1:3], settings.added.shape[-2:]
    most = max(_most_scores(settings, q, v), group * block * strip)
    rows = max(most // strip, heads * group * block)
    return settings.added.new_empty(most), settings.added.new_empty(rows * v.shape[-1])
