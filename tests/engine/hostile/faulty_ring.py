"""Ring attention with a fault in rank 1 alone, and groups with a rank that dies, hangs or raises.

They are `ring` with one of its functions replaced in rank 1 during a forward or backward pass.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from unittest import mock

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from impls import ring as module
from impls.interface import Limits, Mask, implementation
from impls.interface.rank_pairs import Rectangle, rectangles
from impls.interface.ranks import positions_of

FAULTY: Final = 1
"""The rank with the fault."""
LIMITS: Final = Limits(devices=("cpu",), ranks=True, unequal_lengths=False)
found: Final = module._rectangles
add: Final = module._add


@implementation(LIMITS, shards="zigzag")
def right_ring(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    return _faulty(q, k, v, mask, scale, group, {})


@implementation(LIMITS, shards="zigzag")
def lost_last_block(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    return _faulty(q, k, v, mask, scale, group, {"_rectangles": _all_but_last})


@implementation(LIMITS, shards="zigzag")
def log_sum_not_merged(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    return _faulty(q, k, v, mask, scale, group, {"_merge": _merge_without_log_sums})


@implementation(LIMITS, shards="zigzag")
def positions_swapped(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    return _faulty(q, k, v, mask, scale, group, {"_rectangles": _of_swapped_chunks})


@implementation(LIMITS, shards="zigzag")
def key_gradients_not_returned(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    return _faulty(q, k, v, mask, scale, group, {"_add": _AllButHome(group.size())})


@implementation(LIMITS, shards="zigzag")
def dies(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    if group.rank() == FAULTY:
        os.kill(os.getpid(), signal.SIGKILL)
    return _faulty(q, k, v, mask, scale, group, {})


@implementation(LIMITS, shards="zigzag")
def hangs(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    while group.rank() == FAULTY:
        time.sleep(1)
    return _faulty(q, k, v, mask, scale, group, {})


@implementation(LIMITS, shards="zigzag")
def raises(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    if group.rank() == FAULTY:
        raise ValueError("no block of this size")
    return _faulty(q, k, v, mask, scale, group, {})


def _faulty(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Mask,
    scale: float,
    group: ProcessGroup,
    replaced: dict[str, Any],
) -> Tensor:
    places = positions_of(q.shape[2] * group.size(), group.size(), "zigzag")
    fault = replaced if group.rank() == FAULTY else {}
    out: Tensor = _Faulty.apply(q, k, v, mask, scale, group, places, fault)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out


class _Faulty(torch.autograd.Function):
    """The autograd function of `ring`, with functions of its file replaced while it runs."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.fault = inputs[-1]
        with _replaced(ctx.fault):
            return module._Ring.forward(ctx, *inputs[:-1])

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        with _replaced(ctx.fault):
            return (*module._Ring.backward(ctx, dout), None)


def _replaced(fault: dict[str, Any]) -> AbstractContextManager[Any]:
    return mock.patch.multiple(module, **fault) if fault else nullcontext()


def _all_but_last(ctx: Any, step: int, q: Tensor, v: Tensor) -> Iterator[Rectangle]:
    return iter(()) if step == len(ctx.places) - 1 else found(ctx, step, q, v)


def _of_swapped_chunks(ctx: Any, step: int, q: Tensor, v: Tensor) -> Iterator[Rectangle]:
    """The queries are taken for those of each other's chunk."""
    own, others = ctx.places[FAULTY][::-1], ctx.places[FAULTY - step]
    return rectangles(ctx.mask, own, others, q.shape[2] * len(ctx.places), module.TILE)


def _merge_without_log_sums(out: Tensor, log_sums: Tensor, part: Tensor, log_sum: Tensor) -> None:
    """The attention to other keys counts as much as that to all keys before."""
    is_first = log_sums == torch.finfo(log_sums.dtype).min
    out.lerp_(part.to(out.dtype), torch.where(is_first, 1.0, 0.5)[..., None])
    log_sums.copy_(torch.logaddexp(log_sums, log_sum))


class _AllButHome:
    """Adds the sums that arrive in each step, but not those of the keys that come home last."""

    def __init__(self, size: int) -> None:
        self._size, self._calls = size, 0

    def __call__(self, sums: list[Tensor], going: Any) -> None:
        self._calls += 1
        if self._calls % self._size:
            add(sums, going)
        else:
            sums[1].add_(going.arrived()[1])
