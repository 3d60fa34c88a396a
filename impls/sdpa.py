"""torch.nn.functional.scaled_dot_product_attention, one implementation for each of its backends.

On a CPU torch has two: `math` (dense) and `flash` (blockwise, arXiv 2205.14135). `efficient` and
`cudnn` exist on NVIDIA devices only. `is_causal` lines up the first query with the first key, the
contract the last with the last; the two are the same only when Tq == Tk, so in any other case the
mask is handed over as a tensor.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Limits, Mask, implementation

HALVES = ("float16", "bfloat16")


@implementation(Limits())
def sdpa_math(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Separate matrix products and softmax: everything of size Tq x Tk is held."""
    return _sdpa(SDPBackend.MATH, q, k, v, mask, scale)


@implementation(
    Limits(devices=("cpu",)),
    # The CUDA kernel takes no mask tensor, so no window, and causal only where both ends line up.
    Limits(
        devices=("cuda",),
        dtypes=HALVES,
        masks=("full", "causal"),
        head_dims=range(8, 257, 8),
        unequal_lengths=False,
        cuda_capability=(8, 0),
    ),
)
def sdpa_flash(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Blocks of scores that never leave the cache, with a running softmax."""
    return _sdpa(SDPBackend.FLASH_ATTENTION, q, k, v, mask, scale)


@implementation(
    Limits(
        devices=("cuda",),
        dtypes=("float32", *HALVES),
        head_dims=range(8, 1025, 8),
        grouped_heads=False,
        cuda_capability=(5, 0),
    )
)
def sdpa_efficient(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """The memory-efficient CUTLASS kernel (arXiv 2112.05682)."""
    return _sdpa(SDPBackend.EFFICIENT_ATTENTION, q, k, v, mask, scale)


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
    return _sdpa(SDPBackend.CUDNN_ATTENTION, q, k, v, mask, scale)


def _sdpa(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float) -> Tensor:
    lined_up = mask.kind == "causal" and q.shape[2] == k.shape[2]
    seen = None if mask.is_full or lined_up else _visible(mask, q.shape[2], k.shape[2], q.device)
    with sdpa_kernel(backend):
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=seen,
            is_causal=lined_up,
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )


@lru_cache(maxsize=1)
def _visible(mask: Mask, query_length: int, key_length: int, device: torch.device) -> Tensor:
    """The dense mask [Tq, Tk]; it depends on the problem only, so the last one is kept."""
    with torch.inference_mode(mode=False):  # what is kept must also serve a later training call
        positions = torch.arange(query_length, device=device)[:, None] + key_length - query_length
        seen: Tensor = mask.visible(0, positions, torch.arange(key_length, device=device))
        return seen
