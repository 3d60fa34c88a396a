"""Attention by torch's own context parallelism, torch.distributed.tensor.experimental.

On CUDA it is used as people use it: inside its context, scaled_dot_product_attention takes the part
of a rank as a DTensor, and is ring attention for kernels without a tensor mask. It never ran there.

On a CPU the context has no rules for torch's flash kernel: DTensor places the operators of `math`
by itself, with a result that depends on the sizes. So the functions behind the context are called
with the flash kernel of the CPU: the same ring, without its DTensors.

Its default "load balance" is zig-zag positions, for causal masks only. The keys of all ranks are
gathered at once by default; their gradients go round. Outputs are merged in float32, as
out - w (out - block): where the block has nearly all the weight, large earlier outputs cancel. On
outliers single elements were 170 times the rounding bound off, those of `ring` 1.3 times.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - torch replaces a function of this module
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.distributed import ProcessGroup
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import experimental
from torch.distributed.tensor.experimental._context_parallel import _attention
from torch.nn.attention import SDPBackend, sdpa_kernel

from impls.interface import CAUSAL, Limits, Mask, implementation

OF_RANKS: Final[dict[str, Any]] = {
    "ranks": True,
    "unequal_lengths": False,
    "masks": ("full", "causal"),
}
LENGTH: Final = 2
"""The dimension of [B, H, T, D] that is divided."""
KERNEL: Final = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001 - no public name
BACKWARD: Final = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward  # noqa: SLF001 - likewise


@implementation(
    Limits(**OF_RANKS, devices=("cpu",), dtypes=("float32", "float16", "bfloat16")),
    Limits(  # of the flash kernel: check_head_dim_size_flash, cuda/sdp_utils.cpp
        **OF_RANKS,
        devices=("cuda",),
        dtypes=("float16", "bfloat16"),
        head_dims=range(8, 257, 8),
        grouped_heads=False,
        cuda_capability=(8, 0),
        cuda_capability_below=(12, 2),
    ),
    inexact_on=("one dominant key", "outliers"),
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

    On a CPU each rank sends (N-1)/N 2 B Hk T D elements of q's dtype forward. Backward it sends as
    many, and 2 B Hk T D sums in float32, which go all the way round.
    """
    if q.device.type == "cpu":
        found: Tensor = _OnCpu.apply(q, k, v, mask, scale, group)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return found
    if not torch.is_grad_enabled():
        return _attend(q, k, v, mask, scale, group)
    out: Tensor = _InContext.apply(q, k, v, mask, scale, group)  # type: ignore[no-untyped-call]  # as above
    return out


class _OnCpu(torch.autograd.Function):
    """The functions behind the context, with the flash kernel of the CPU."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        q, k, v, mask, scale, group = inputs
        ctx.options = {"is_causal": mask == CAUSAL, "dropout_p": 0.0, "scale": scale}
        ctx.group, ctx.mask = group, mask
        with _balanced(mask):
            out, log_sums = _attention._templated_ring_attention(  # noqa: SLF001 - no public name
                group, LENGTH, KERNEL, q, k, v, **ctx.options
            )
        ctx.save_for_backward(q, k, v, out, log_sums)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, log_sums = ctx.saved_tensors
        with _balanced(ctx.mask):
            dq, dk, dv = _attention._templated_ring_attention_backward(  # noqa: SLF001 - likewise
                ctx.group, LENGTH, BACKWARD, dout, "grad_out", q, k, v, out, log_sums, **ctx.options
            )
        return dq, dk, dv, None, None, None


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
    with _context(group, q, mask), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return F.scaled_dot_product_attention(q, k, v, is_causal=mask == CAUSAL, scale=scale)


@contextmanager
def _context(group: ProcessGroup, like: Tensor, mask: Mask) -> Iterator[None]:
    """The context of torch, for parts that are divided already: its one buffer is of no use."""
    buffer = like.new_empty(2 * group.size())
    with (
        _balanced(mask),
        experimental.context_parallel(
            _mesh(group, like.device.type),
            buffers=[buffer],
            buffer_seq_dims=[0],
            no_restore_buffers={buffer},
        ),
    ):
        yield


@contextmanager
def _balanced(mask: Mask) -> Iterator[None]:
    """Zig-zag positions for a causal mask; torch raises RuntimeError with them for a full one."""
    options = _attention._cp_options  # noqa: SLF001 - torch has no public name for it
    before = options.enable_load_balance
    options.enable_load_balance = mask == CAUSAL
    try:
        yield
    finally:
        options.enable_load_balance = before


@lru_cache(maxsize=1)
def _mesh(group: ProcessGroup, device: str) -> DeviceMesh:
    return DeviceMesh.from_group(group, device)
