"""torch.nn.functional.scaled_dot_product_attention, one implementation for each of its backends.

On a CPU torch has two: `math` (dense) and `flash` (blockwise, arXiv 2205.14135). `efficient` and
`cudnn` exist on NVIDIA devices only. `is_causal` lines up the first query with the first key, the
contract the last with the last; the two are the same only when Tq == Tk, so in any other case the
mask is handed over as a tensor: of bool, or with a bias of the dtype of the queries, as torch asks
for. All but `math` hold that tensor alone in the size of Tq x Tk. None has a softcap or a sink.
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
    """Separate matrix products and softmax: everything of size Tq x Tk is held."""
    return _sdpa(SDPBackend.MATH, (q, k, v), mask, scale, bias)


@implementation(
    Limits(devices=("cpu",), masks=EVERY_MASK, biases=EVERY_BIAS),
    # The CUDA kernel takes no mask tensor, so neither a window nor a bias, and causal only where
    # both ends line up.
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
    """Blocks of scores that never leave the cache, with a running softmax."""
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
    lined_up = bias is None and mask.kind == "causal" and q.shape[2] == k.shape[2]
    seen = None if mask.is_full or lined_up else _visible(mask, _sizes(q, k), q.device)
    with sdpa_kernel(backend):
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=seen if bias is None else _biased(bias, seen, q, k.shape[2]),
            is_causal=lined_up,
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )


def _biased(bias: BiasValues, seen: Tensor | None, q: Tensor, key_length: int) -> Tensor:
    """The bias, -inf where a key is not seen, [B or 1, Hq, Tq, Tk] in the dtype of the queries.

    It is made in every call: its values are inputs.
    """
    positions = range(key_length - q.shape[2], key_length)
    added = bias.between(positions, range(key_length))[None].to(q.dtype)
    return added if seen is None else added.masked_fill(~seen, float("-inf"))


def _sizes(q: Tensor, k: Tensor) -> tuple[int, int, int]:
    return q.shape[0], q.shape[2], k.shape[2]


@lru_cache(maxsize=1)
def _visible(mask: Mask, sizes: tuple[int, int, int], device: torch.device) -> Tensor:
    """The dense mask, [Tq, Tk], or [B, 1, Tq, Tk] with padding, for B, Tq and Tk.

    It depends on the problem only, so the last one is kept.
    """
    batch, query_length, key_length = sizes
    with torch.inference_mode(mode=False):  # what is kept must also serve a later training call
        rows = torch.arange(batch, device=device)[:, None, None, None]
        positions = torch.arange(query_length, device=device)[:, None] + key_length - query_length
        seen: Tensor = mask.visible(rows, positions, torch.arange(key_length, device=device))
        return seen
