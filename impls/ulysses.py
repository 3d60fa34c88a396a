"""Attention over several devices by heads: all-to-all, whole sequences, all-to-all back.

Each rank has a part of the sequence of all heads. An all-to-all of q, k and v gives it the whole
sequence of 1/N of the heads, which scaled_dot_product_attention computes. A second all-to-all
returns the output. The backward pass is the same in reverse. This is the sequence parallelism of
DeepSpeed Ulysses (arXiv 2309.14509).

A window is computed in strips of STRIP queries, each with the keys that it sees. They share one
tensor of scores to add, STRIP x (reach + STRIP), so that no mask is T x T.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import CAUSAL, FULL, Limits, Mask, implementation

OF_RANKS: Final[dict[str, Any]] = {
    "ranks": True,
    "heads_divide_by_ranks": True,
    "unequal_lengths": False,
}
ON_CUDA: Final[dict[str, Any]] = {**OF_RANKS, "devices": ("cuda",), "masks": ("full", "causal")}
STRIP: Final = 256
"""Queries of a strip: half of its pairs are hidden for a window of as many keys."""


# On CUDA these have a kernel of torch that holds no T x T matrix: see impls/sdpa.py.
@implementation(
    Limits(**OF_RANKS, devices=("cpu",)),
    Limits(
        **ON_CUDA,
        dtypes=("float16", "bfloat16"),
        head_dims=range(1, 257),
        cuda_capability=(8, 0),
        cuda_capability_below=(12, 2),
    ),
    Limits(**ON_CUDA, dtypes=("float32",), grouped_heads=False, head_dims=range(4, 1025, 4)),
)
def ulysses(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: dist.ProcessGroup
) -> Tensor:
    """Attention of this rank's queries to the keys of all ranks.

    q      [B, Hq, T/N, D], k, v [B, Hk, T/N, D]: the parts of this rank; N divides Hq and Hk
    mask   full, causal or a window, of the whole sequence: Tq = Tk = T
    group  the N processes
    out    [B, Hq, T/N, D] in q's dtype

    Each rank sends (N-1)/N of its q, k, v and out: (N-1)/N^2 B T D (2 Hq + 2 Hk) elements forward,
    and as many backward, of their gradients.
    """
    q, k, v = (_ToHeads.apply(x, group) for x in (q, k, v))  # type: ignore[no-untyped-call]  # torch leaves it untyped
    out: Tensor = _ToSequence.apply(_attention(q, k, v, mask, scale), group)  # type: ignore[no-untyped-call]  # as above
    return out


class _ToHeads(torch.autograd.Function):
    """[B, H, T/N, D] of all heads to [B, H/N, T, D] of the whole sequence."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return _to_heads(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _to_sequence(gradient, ctx.group), None


class _ToSequence(torch.autograd.Function):
    """[B, H/N, T, D] of the whole sequence to [B, H, T/N, D] of all heads."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return _to_sequence(x, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _to_heads(gradient, ctx.group), None


def _to_heads(x: Tensor, group: dist.ProcessGroup) -> Tensor:
    by_heads = torch.unflatten(x, 1, (group.size(), -1)).movedim(1, 0)
    return _exchanged(by_heads, group).movedim(0, 2).flatten(2, 3)


def _to_sequence(x: Tensor, group: dist.ProcessGroup) -> Tensor:
    by_positions = torch.unflatten(x, 2, (group.size(), -1)).movedim(2, 0)
    return _exchanged(by_positions, group).movedim(0, 1).flatten(1, 2)


def _exchanged(parts: Tensor, group: dist.ProcessGroup) -> Tensor:
    """A part from each rank, for the parts [N, ...] that go to each rank."""
    sent = parts.contiguous()
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent, group=group)
    return received


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float) -> Tensor:
    """Attention of the heads of this rank over the whole sequence."""
    if mask not in (FULL, CAUSAL):
        return torch.cat([*_strips(q, k, v, mask, scale)], 2)
    return scaled_dot_product_attention(
        q, k, v, is_causal=mask == CAUSAL, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
    )


def _strips(q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float) -> Iterator[Tensor]:
    """The output for STRIP queries at a time."""
    length = q.shape[2]
    before, after = (
        length - 1 if reach is None else min(reach, length - 1)
        for reach in (mask.left and mask.left - 1, mask.right)
    )
    queries = torch.arange(before, before + STRIP, device=q.device)[:, None]
    keys = torch.arange(before + STRIP + after, device=q.device)
    hidden = ~mask.visible(0, queries, keys)
    added = q.new_zeros(hidden.shape).masked_fill_(hidden, float("-inf"))
    for start in range(0, length, STRIP):
        stop = min(start + STRIP, length)
        first, last = max(start - before, 0), min(stop + after, length)
        from_key = first - (start - before)
        yield scaled_dot_product_attention(
            q[:, :, start:stop],
            k[:, :, first:last],
            v[:, :, first:last],
            attn_mask=added[: stop - start, from_key : from_key + last - first],
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )
