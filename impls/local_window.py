"""Exact window attention, linear in T: blocks of queries with strips of keys (arXiv 2004.05150).

A block of queries sees one strip of keys: its own keys and the reach to both sides. The products of
several blocks are one batched product of overlapping views. Such a group fits the cache: its scores
are computed in place, in a buffer for all groups.

The band and the bias depend on distances only. They are computed for one block and its strip, and
the product of queries and keys is added to them. Padding and documents need no mask: they bound the
keys of some rows, and a strip ends there. The backward pass recomputes the weights from the saved
logarithm of their sum (arXiv 2205.14135). Without a limit on one side it is correct, not linear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt, log
from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import BY_DISTANCE, EVERY_MASK
from impls.interface.strips import Strips, strips_of
from impls.interface.tiles import core_cache_bytes

LN_2: Final = log(2)
"""Scores are in units of ln 2: torch.exp takes 4 times as long for results of 0, exp2 does not."""
ALIGNED: Final = 32
"""Keys of a strip are a multiple of this: torch reduces rows of whole vectors faster."""


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
    back, added = _whole_strip(mask, bias, grouped, k.shape[2])
    logits = None if sink is None else sink.to(added.dtype).view(grouped.shape[1:3]) / LN_2
    # Without padding and with Tq <= Tk every row sees its own key at least.
    if logits is None and (mask.padding is not None or q.shape[2] > k.shape[2]):
        logits = added.new_full(grouped.shape[1:3], torch.finfo(added.dtype).min)
    most = _most_scores(grouped, v, added)
    groups = list(strips_of(mask, grouped, k, (*added.shape[-2:], back), most))
    window = _Window(scale / LN_2, softcap, added, groups, most)
    out: Tensor = _LocalWindow.apply(grouped, k, v, logits, window)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out.flatten(1, 2)


class _LocalWindow(torch.autograd.Function):
    """q [B, Hk, G, Tq, D], G = Hq / Hk; sink [Hk, G], -1e38 where only rows may be without keys."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        q, k, v, sink, window = inputs
        dtype = window.added.dtype
        # With sinks there may be rows that no group has.
        out: Tensor = (q.new_empty if sink is None else q.new_zeros)((*q.shape[:-1], v.shape[-1]))
        tops, totals = window.added.new_zeros((2, *q.shape[:-1], 1))
        scores, sums = window.buffers(q, v)
        for group in window.groups:
            logits = None if sink is None else sink[group.heads, None, :, None, None]
            weights, _ = window.scores(group, scores, q, k)
            top = torch.amax(weights, -1, keepdim=True, out=group.rows(tops))
            if logits is not None:
                torch.maximum(top, logits, out=top)
            weights.sub_(top).exp2_()
            total = torch.sum(weights, -1, keepdim=True, out=group.rows(totals))
            if logits is not None:
                total += (logits - top).exp2_()
            summed = _product(sums, weights, group.keys(v, dtype))
            torch.div(summed, total, out=group.rows(out))
        ctx.save_for_backward(q, k, v, sink, out, tops.add_(totals.log2_()))
        ctx.window = window
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, sink, out, log_sums = ctx.saved_tensors
        window, dtype = ctx.window, ctx.window.added.dtype
        scale = window.scale * LN_2
        first, sums = window.buffers(q, q)
        second, dq = torch.empty_like(first), torch.zeros_like(q)
        dk, dv = (torch.zeros(x.shape, dtype=dtype, device=x.device) for x in (k, v))
        dsink = torch.zeros_like(sink) if ctx.needs_input_grad[3] else None
        for group in window.groups:
            log_sum, drows = group.rows(log_sums), group.rows(dout).to(dtype)
            weights, slope = window.scores(group, first, q, k)
            weights.sub_(log_sum).exp2_()
            shift = (drows * group.rows(out)).sum(-1, keepdim=True)
            if dsink is not None:
                lost = (sink[group.heads, None, :, None, None] - log_sum).exp2_().mul_(shift)
                dsink[group.heads] -= lost.sum((1, 3, 4)) * LN_2
            dscores = _product(second, drows, group.keys(v, dtype).mT).sub_(shift).mul_(weights)
            if slope is not None:
                dscores.mul_(slope)
            _add_to_keys(group, dv, weights, drows)
            _add_to_keys(group, dk, dscores, group.rows(q).to(dtype), scale)
            group.rows(dq).copy_(_product(sums, dscores, group.keys(k, dtype), scale))
        return dq, dk.to(k.dtype), dv.to(v.dtype), dsink, None


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The arguments without gradients, and the strips.

    added   scores of a whole strip without the product, [Hk, 1, G, block, strip]: the bias within
            the band and minus infinity outside of it, in the dtype of all sums
    groups  strips that are computed together
    most    scores of a group, unless a block of one head has more
    """

    scale: float
    softcap: float | None
    added: Tensor
    groups: list[Strips]
    most: int

    def buffers(self, q: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Room for the scores of any group, and for its rows with the columns of x."""
        (heads, group), (block, strip) = q.shape[1:3], self.added.shape[-2:]
        most = max(self.most, group * block * strip)
        rows = max(most // strip, heads * group * block)
        return self.added.new_empty(most), self.added.new_empty(rows * x.shape[-1])

    def scores(
        self, group: Strips, buffer: Tensor, q: Tensor, k: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Scores [H, N, G, R, L] in the buffer, and the derivative of a softcap."""
        added = self.added[group.heads, ..., : group.blocks.step, group.columns]
        queries, keys = group.rows(q).to(added.dtype), group.keys(k, added.dtype).mT
        if self.softcap is None:
            return _product(buffer, queries, keys, self.scale, added), None
        capped = _product(buffer, queries, keys, self.scale * LN_2 / self.softcap).tanh_()
        slope = 1.0 - capped.square()
        return capped.mul_(self.softcap / LN_2).add_(added), slope


def _product(
    buffer: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0, added: Tensor | None = None
) -> Tensor:
    """Compute added + alpha a @ b in the buffer: a [H, N, G, R, M], b [H, N, M, C]."""
    shape = torch.Size((*a.shape[:-1], b.shape[-1]))
    result = buffer[: shape.numel()].view(shape)
    if added is not None:
        result.copy_(added)
    _add_product(result.flatten(2, 3), a.flatten(2, 3), b, alpha, float(added is not None))
    return result


def _add_to_keys(strips: Strips, x: Tensor, a: Tensor, b: Tensor, alpha: float = 1.0) -> None:
    """Add alpha a^T @ b to the strips of x: a [H, N, G, R, L], b [H, N, G, R, C]."""
    a, b = a.flatten(2, 3), b.flatten(2, 3)
    for part in strips.disjoint():
        _add_product(strips.keys(x, x.dtype, part), a[..., part].mT, b, alpha, 1.0)


def _add_product(into: Tensor, a: Tensor, b: Tensor, alpha: float, beta: float) -> None:
    """Set `into` to beta * into + alpha * a @ b, [H, N, ...]: a batch of N, or of H if N = 1."""
    if into.shape[1] == 1:
        into, a, b = (x.transpose(0, 1) for x in (into, a, b))
    for each, left, right in zip(into, a, b, strict=True):
        each.baddbmm_(left, right, alpha=alpha, beta=beta)


def _whole_strip(
    mask: Mask, bias: BiasValues | None, q: Tensor, key_length: int
) -> tuple[int, Tensor]:
    """Keys of a strip before the own key of the block's first row, and `added` of the window."""
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
    return back, added.masked_fill(~band, float("-inf")).expand(heads[0], -1, -1, -1, -1)


def _most_scores(q: Tensor, v: Tensor, added: Tensor) -> int:
    """Scores of a group: they fill twice the caches of all threads, or are a quarter of the output.

    A score takes 12.1 ns then, 14.2 in groups of a quarter of this, 12.4 in groups of twice this.
    """
    threads = torch.get_num_threads() if q.device.type == "cpu" else 1
    fitting = 2 * threads * core_cache_bytes(q.device) // added.element_size()
    return max(min(fitting, q[..., 0].numel() * v.shape[-1] // 4), 1)
