"""torch.nn.functional.scaled_dot_product_attention, one implementation for each backend.

On a CPU torch has `math` (dense) and `flash` (blockwise, arXiv 2205.14135); `efficient` and `cudnn`
need an NVIDIA device. torch's `is_causal` has top-left alignment, the contract bottom-right. They
are equal for Tq == Tk only; otherwise the mask is a tensor: bool, or with a bias in the dtype of
the queries. That tensor is the only one of size Tq x Tk, except in `math`. No backend supports a
softcap or a sink.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

HALVES = ("float16", "bfloat16")


@implementation(Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True))
def sdpa_math(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """Separate matrix products and softmax; holds whole Tq x Tk matrices."""
    return _sdpa(SDPBackend.MATH, (q, k, v), mask, scale, bias)


@implementation(
    Limits(devices=("cpu",), masks=EVERY_MASK, biases=EVERY_BIAS),
    # The CUDA kernel takes no mask tensor: no window, no bias, and causal for Tq == Tk only.
    Limits(
        devices=("cuda",),
        dtypes=HALVES,
        masks=("full", "causal"),
        head_dims=range(8, 257, 8),
        unequal_lengths=False,
        cuda_capability=(8, 0),
    ),
)
def sdpa_flash(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """Blockwise attention with an online softmax; scores stay in the cache."""
    return _sdpa(SDPBackend.FLASH_ATTENTION, (q, k, v), mask, scale, bias)


@implementation(
    Limits(
        devices=("cuda",),
        dtypes=("float32", *HALVES),
        masks=EVERY_MASK,
        biases=EVERY_BIAS,
        head_dims=range(8, 1025, 8),
        grouped_heads=False,
        cuda_capability=(5, 0),
    )
)
def sdpa_efficient(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """The memory-efficient CUTLASS kernel (arXiv 2112.05682)."""
    return _sdpa(SDPBackend.EFFICIENT_ATTENTION, (q, k, v), mask, scale, bias)


@implementation(
    Limits(
        devices=("cuda",),
        dtypes=HALVES,
        masks=("full", "causal"),
        head_dims=range(8, 129, 8),
        unequal_lengths=False,
        cuda_capability=(8, 0),
    )
)
def sdpa_cudnn(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """The fused kernel of NVIDIA's cuDNN."""
    return _sdpa(SDPBackend.CUDNN_ATTENTION, (q, k, v), mask, scale)


def _sdpa(
    backend: SDPBackend,
    qkv: tuple[Tensor, Tensor, Tensor],
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
) -> Tensor:
    q, k, v = qkv
    top_left = bias is None and mask.kind == "causal" and q.shape[2] == k.shape[2]
    sizes = q.shape[0], q.shape[2], k.shape[2]
    seen = None if mask.is_full or top_left else _visible(mask, sizes, q.device)
    with sdpa_kernel(backend):
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=seen if bias is None else _biased(bias, seen, q, k.shape[2]),
            is_causal=top_left,
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )


def _biased(bias: BiasValues, seen: Tensor | None, q: Tensor, key_length: int) -> Tensor:
    """The bias, -inf at hidden pairs, [B or 1, Hq, Tq, Tk] in the dtype of the queries.

    Computed in every call: its values are inputs.
    """
    positions = range(key_length - q.shape[2], key_length)
    added = bias.between(positions, range(key_length))[None].to(q.dtype)
    return added if seen is None else added.masked_fill(~seen, float("-inf"))


@lru_cache(maxsize=1)
def _visible(mask: Mask, sizes: tuple[int, int, int], device: torch.device) -> Tensor:
    """The dense mask for B, Tq and Tk, cached: it depends on the problem only."""
    return mask.dense(*sizes, device)
