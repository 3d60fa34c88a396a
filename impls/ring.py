"""Ring attention: each rank has a part of the sequence, and the keys go round (arXiv 2310.01889).

In step s, rank r has the keys and values of rank r - s, and already receives the next ones. The
outputs of all steps are merged by their log-sum-exp. The backward pass sends keys and values round
again. The gradients of a block follow it, as sums in float32: they start at the next rank, and are
home after N - 1 transfers, too.

With zig-zag positions, rank r has the chunks r and 2N - 1 - r of 2N. With a causal mask every rank
then has as many visible pairs, and one call in each step: its own block is causal; of an earlier
rank it needs the first chunk of keys; for a later rank, it has the second chunk of queries only.

The causal block, and pairs that are all visible, are computed by torch's flash kernel, whose
backward pass takes the log-sum-exp of the whole sequence. The edges of a window are tiles in plain
torch. So is everything for values of their own head dimension, and for float32 on a GPU. Blocks
that are hidden are not computed, but sent on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import Limits, Mask, implementation
from impls.interface.rank_pairs import Rectangle, rectangles, tiles
from impls.interface.ranks import positions_of

HALVES: Final = ("float16", "bfloat16")
OF_RANKS: Final[dict[str, Any]] = {"ranks": True, "unequal_lengths": False}
TILE: Final = (128, 512)
"""Queries and keys of a tile: few hidden pairs at the edges of a window, and few operators."""
FLASH: Final = "_scaled_dot_product_flash_attention"
"""The first words of the names of the flash kernels, which have no public names."""
aten: Final = torch.ops.aten


@implementation(
    Limits(**OF_RANKS, devices=("cpu",), own_value_dim=True),
    Limits(**OF_RANKS, devices=("cuda",), dtypes=("float32", "float64"), own_value_dim=True),
    Limits(  # of the flash kernel: check_head_dim_size_flash, cuda/sdp_utils.cpp
        **OF_RANKS,
        devices=("cuda",),
        dtypes=HALVES,
        head_dims=range(8, 257, 8),
        cuda_capability=(8, 0),
        cuda_capability_below=(12, 2),
    ),
    shards="zigzag",
)
def ring(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    group: dist.ProcessGroup,
    shards: str = "zigzag",
) -> Tensor:
    """Attention of this rank's queries to the keys of all ranks.

    q       [B, Hq, T/N, D], k [B, Hk, T/N, D], v [B, Hk, T/N, Dv]: the parts of this rank
    mask    full, causal or a window, of the whole sequence: Tq = Tk = T
    group   the N processes
    shards  the positions of the ranks: zigzag or contiguous
    out     [B, Hq, T/N, Dv] in q's dtype; half precision is summed in float32

    Each rank sends (N-1)/N B Hk T (D + Dv) elements of q's dtype forward. Backward it sends as
    many, and as many again in the dtype of the sums, float32 or wider.
    """
    places = positions_of(q.shape[2] * group.size(), group.size(), shards)
    out: Tensor = _Ring.apply(q, k, v, mask, scale, group, places)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out


class _Ring(torch.autograd.Function):
    """The autograd function."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        q, k, v, ctx.mask, ctx.scale, ctx.group, ctx.places = inputs
        dtype = torch.promote_types(q.dtype, torch.float32)
        q, k, v = q if q.stride(-1) == 1 else q.contiguous(), k.contiguous(), v.contiguous()
        out = torch.zeros((*q.shape[:-1], v.shape[-1]), dtype=dtype, device=q.device)
        # Finite: a tile may hide all its keys from a query, and -inf - -inf is NaN.
        log_sums = out.new_full(q.shape[:-1], torch.finfo(dtype).min)
        block: tuple[Tensor, ...] = (k, v)
        for step in range(len(ctx.places)):
            following = _Transfer(block, ctx.group) if step + 1 < len(ctx.places) else None
            for each in _rectangles(ctx, step, q, v):
                part = _attend(each, (q, *block), ctx.mask, ctx.scale)
                _merge(out[:, :, each.rows], log_sums[:, :, each.rows], *part)
            block = following.arrived() if following else block
        out = out.to(q.dtype)
        ctx.save_for_backward(q, k, v, out, log_sums)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, log_sums = ctx.saved_tensors
        results = out, dout.contiguous(), log_sums
        dq, *home = (torch.zeros_like(x, dtype=log_sums.dtype) for x in (q, k, v))
        block: tuple[Tensor, ...] = (k, v)
        sums, going = home, None
        for step in range(len(ctx.places)):
            following = _Transfer(block, ctx.group) if step + 1 < len(ctx.places) else None
            sums = [torch.zeros_like(x) for x in home] if step else home
            for each in _rectangles(ctx, step, q, v):
                parts = _gradients(each, (q, *block), results, ctx.mask, ctx.scale)
                dq[:, :, each.rows] += parts[0]
                for whole, part in zip(sums, parts[1:], strict=True):
                    whole[:, :, each.columns] += part
            if step:
                _add(sums, going)
                going = _Transfer(tuple(sums), ctx.group)
            block = following.arrived() if following else block
        _add(home, going)
        return dq.to(q.dtype), *(x.to(q.dtype) for x in home), None, None, None, None


class _Transfer:
    """Tensors that go to the next rank, while those of the rank before arrive."""

    def __init__(self, tensors: tuple[Tensor, ...], group: dist.ProcessGroup) -> None:
        self._sent = tensors  # in use until they are sent
        self._received = tuple(torch.empty_like(x) for x in tensors)
        after, before = ((group.rank() + by) % group.size() for by in (1, -1))
        sends = [dist.P2POp(dist.isend, x, group=group, group_peer=after) for x in tensors]
        receives = [
            dist.P2POp(dist.irecv, x, group=group, group_peer=before) for x in self._received
        ]
        self._works = dist.batch_isend_irecv(sends + receives)

    def arrived(self) -> tuple[Tensor, ...]:
        """Wait for both directions; returns what has arrived."""
        for work in self._works:
            work.wait()
        return self._received


def _add(sums: list[Tensor], going: _Transfer | None) -> None:
    """Add sums of the rank before, if there are any."""
    for own, other in zip(sums, going.arrived() if going else (), strict=going is not None):
        own.add_(other)


def _merge(out: Tensor, log_sums: Tensor, part: Tensor, log_sum: Tensor) -> None:
    """Add the attention to other keys to `out` and `log_sums`, in place."""
    total = torch.logaddexp(log_sums, log_sum)
    out.mul_(log_sums.sub(total).exp_()[..., None])
    out.add_(part * log_sum.sub(total).exp_()[..., None])
    log_sums.copy_(total)


def _has_flash(q: Tensor, v: Tensor) -> bool:
    """Whether torch has a flash kernel for these, without a mask."""
    return q.shape[-1] == v.shape[-1] and (q.device.type == "cpu" or q.dtype.itemsize == 2)


def _rectangles(ctx: Any, step: int, q: Tensor, v: Tensor) -> Iterator[Rectangle]:
    """Of this rank's queries and of the keys that it has in a step."""
    rank, length = ctx.group.rank(), q.shape[2] * len(ctx.places)
    found = rectangles if _has_flash(q, v) else tiles
    return found(ctx.mask, ctx.places[rank], ctx.places[rank - step], length, TILE)


def _attend(
    each: Rectangle, qkv: tuple[Tensor, ...], mask: Mask, scale: float
) -> tuple[Tensor, Tensor]:
    """The output for the rows from the columns alone, and its log-sum-exp [B, Hq, rows]."""
    q, k, v = _taken(each, qkv)
    if each.partly is None and _has_flash(q, v):
        return _flash(q, k, v, is_causal=each.is_causal, scale=scale)
    scores, _, _, values = _scores(each, (q, k, v), mask, scale)
    log_sum = scores.logsumexp(-1, keepdim=True)
    weights = scores.sub_(log_sum.clamp_min(torch.finfo(scores.dtype).min)).exp_()
    return (weights @ values).flatten(1, 2), log_sum.flatten(1, 2).squeeze(-1)


def _gradients(
    each: Rectangle,
    qkv: tuple[Tensor, ...],
    results: tuple[Tensor, ...],
    mask: Mask,
    scale: float,
) -> tuple[Tensor, ...]:
    """What the rectangle adds to dq of its rows, and to dk and dv of its columns.

    results  out, its gradient, and the log-sum-exp over all keys of the sequence
    """
    q, k, v = _taken(each, qkv)
    out, dout, log_sums = (x[:, :, each.rows] for x in results)
    if each.partly is None and _has_flash(q, v):
        saved = dout, q, k, v, out, log_sums
        return _flash_backward(saved, is_causal=each.is_causal, scale=scale)
    scores, queries, keys, values = _scores(each, (q, k, v), mask, scale)
    grouped = (1, (k.shape[1], -1))
    out, dout, log_sums = (torch.unflatten(x, *grouped) for x in (out, dout, log_sums))
    dout = dout.to(scores.dtype)
    weights = scores.sub_(log_sums[..., None]).exp_()
    dscores = (dout @ values.mT).sub_((out * dout).sum(-1, keepdim=True)).mul_(weights).mul_(scale)
    dk, dv = (dscores.mT @ queries).sum(2), (weights.mT @ dout).sum(2)
    return (dscores @ keys).flatten(1, 2), dk, dv


def _taken(each: Rectangle, qkv: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = qkv
    return q[:, :, each.rows], k[:, :, each.columns], v[:, :, each.columns]


def _scores(
    each: Rectangle, qkv: tuple[Tensor, ...], mask: Mask, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Masked scores [B, Hk, G, rows, columns], G = Hq / Hk, and q, k, v alike, in wide dtypes."""
    dtype = torch.promote_types(qkv[0].dtype, torch.float32)
    queries = torch.unflatten(qkv[0], 1, (qkv[1].shape[1], -1)).to(dtype)
    keys, values = (x[:, :, None].to(dtype) for x in qkv[1:])
    scores = (queries @ keys.mT).mul_(scale)
    hidden = each.hidden(mask, scores.device)
    if hidden is not None:
        scores.masked_fill_(hidden, float("-inf"))
    return scores, queries, keys, values


def _flash(
    q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """The output of torch's flash kernel, and its log-sum-exp [B, Hq, rows]."""
    name = FLASH + ("_for_cpu" if q.device.type == "cpu" else "")
    out, log_sum, *_ = getattr(aten, name)(q, k, v, 0.0, is_causal, scale=scale)
    return out, log_sum


def _flash_backward(
    saved: tuple[Tensor, ...], *, is_causal: bool, scale: float
) -> tuple[Tensor, ...]:
    """Its gradients of q, k and v. Saved: dout, q, k, v, out, log-sum-exp."""
    _, q, k, *_, log_sums = saved
    if q.device.type == "cpu":
        name, given = "_for_cpu_backward", (*saved, 0.0, is_causal)
    else:  # no packed sequences, and no random state, since there is no dropout
        packed = None, None, q.shape[2], k.shape[2]
        state = q.new_empty(2, dtype=torch.uint64), q.new_empty((), dtype=torch.uint64)
        given = (*saved[:-1], log_sums.contiguous(), *packed, 0.0, is_causal, *state)
        name = "_backward"
    found: tuple[Tensor, ...] = getattr(aten, FLASH + name)(*given, scale=scale)
    return found
