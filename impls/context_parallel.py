"""Attention by torch's own context parallelism, torch.distributed.tensor.experimental.

Inside its context, scaled_dot_product_attention takes the part of a rank as a DTensor. On CUDA it
is ring attention then, for kernels without a tensor mask, forward and backward. Its default
"load balance" is zig-zag positions, for causal masks only; the keys are gathered at once by
default (`allgather`). All that is read in torch's source: it never ran here on CUDA.

On a CPU it is refused. torch 2.13 has no sharding rules for its flash kernel there, so that DTensor
places every operator of `math` by itself, with a result that depends on the sizes: of 63 full
problems on 4 ranks, 12 gave each rank the whole output or other heads of it. Two batch rows raise
RuntimeError, and so does a causal mask. Flash takes 47 s of CPU time for each new shape. Tests run
this file on a CPU where the result is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch replaces a function of this module
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import experimental
from torch.distributed.tensor.experimental import _attention
from torch.nn.attention import SDPBackend, sdpa_kernel

from impls.interface import CAUSAL, Limits, Mask, implementation


@implementation(
    Limits(  # of the flash kernel: check_head_dim_size_flash, cuda/sdp_utils.cpp
        devices=("cuda",),
        dtypes=("float16", "bfloat16"),
        masks=("full", "causal"),
        head_dims=range(8, 257, 8),
        grouped_heads=False,
        ranks=True,
        unequal_lengths=False,
        cuda_capability=(8, 0),
        cuda_capability_below=(12, 2),
    ),
    ran_on="",
    shards="zigzag",
)
def context_parallel(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    """Attention of this rank's queries to the keys of all ranks.

    q      [B, Hq, T/N, D], k, v [B, Hk, T/N, D]: the parts of this rank, at zig-zag positions
    mask   of the whole sequence: Tq = Tk = T
    group  the N processes
    out    [B, Hq, T/N, D] in q's dtype
    """
    if not torch.is_grad_enabled():
        return _attend(q, k, v, mask, scale, group)
    out: Tensor = _InContext.apply(q, k, v, mask, scale, group)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return out


class _InContext(torch.autograd.Function):
    """The autograd function: its backward pass is in the context, too."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        *qkv, ctx.mask, scale, ctx.group = inputs
        with torch.enable_grad():
            ctx.leaves = q, k, v = [x.detach().requires_grad_() for x in qkv]
            ctx.out = _attend(q, k, v, ctx.mask, scale, ctx.group)
        return ctx.out.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        with _context(ctx.group, dout, ctx.mask):
            found = torch.autograd.grad(ctx.out, ctx.leaves, dout, retain_graph=True)
        return *found, None, None, None


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float, group: ProcessGroup
) -> Tensor:
    kernel = SDPBackend.MATH if q.device.type == "cpu" else SDPBackend.FLASH_ATTENTION
    with _context(group, q, mask), sdpa_kernel(kernel):
        return F.scaled_dot_product_attention(
            q, k, v, is_causal=mask == CAUSAL, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )


@contextmanager
def _context(group: ProcessGroup, like: Tensor, mask: Mask) -> Iterator[None]:
    """The context of torch, for parts that are divided already: its one buffer is of no use."""
    options = _attention._cp_options  # noqa: SLF001 - torch has no public name for it
    before = options.enable_load_balance
    options.enable_load_balance = mask == CAUSAL  # torch raises RuntimeError with a full mask
    buffer = like.new_empty(2 * group.size())
    try:
        with experimental.context_parallel(
            _mesh(group, like.device.type),
            buffers=[buffer],
            buffer_seq_dims=[0],
            no_restore_buffers={buffer},
        ):
            yield
    finally:
        options.enable_load_balance = before


@lru_cache(maxsize=1)
def _mesh(group: ProcessGroup, device: str) -> DeviceMesh:
    return DeviceMesh.from_group(group, device)
