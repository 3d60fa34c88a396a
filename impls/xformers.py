"""xformers' memory_efficient_attention: a choice among CUDA kernels (arXiv 2112.05682, 2205.14135).

It runs on NVIDIA devices only, and WE HAVE NEVER RUN IT: no such device was at hand. Tested here
are the masks handed over and the refusals; on a device, trust the agreement check alone.

Half precision goes to FlashAttention-2, float32 to a CUTLASS kernel that has no window in its
backward pass, so windows are refused there. Grouped heads are five-dimensional inputs to it,
which its documentation calls experimental and allows forward only. `operator` names the kernel.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import unflatten
from torch.nn.functional import pad

from impls.interface import Limits, Mask, implementation

if TYPE_CHECKING:
    from torch import Tensor

if importlib.util.find_spec("xformers") is None:
    raise ImportError("xformers is not installed")

FLASH: dict[str, Any] = {
    "devices": ("cuda",),
    "dtypes": ("float16", "bfloat16"),
    "head_dims": range(8, 257, 8),
    "cuda_capability": (8, 0),
}
CUTLASS: dict[str, Any] = {
    "devices": ("cuda",),
    "dtypes": ("float32",),
    "masks": ("full", "causal"),
    "head_dims": range(4, 1025, 4),
    "cuda_capability": (6, 0),
}


def operator(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> str:
    """Name the kernel that xformers picks for the forward pass."""
    fmha = _library().fmha
    inputs = fmha.Inputs(**_arguments(q, k, v, mask, scale))
    needs_gradient = any(x.requires_grad for x in (q, k, v))
    return str(fmha.dispatch._dispatch_fw(inputs, needs_gradient).NAME)  # noqa: SLF001 - no public way


@implementation(
    Limits(**FLASH, grouped_heads=False),
    Limits(**FLASH, backward=False),
    Limits(**CUTLASS, grouped_heads=False),
    Limits(**CUTLASS, backward=False),
    operator=operator,
)
def xformers(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Whatever kernel xformers picks, in its own layout [B, T, H, D].

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]
    out     [B, Hq, Tq, D]
    """
    # The first queries may see no key; what a kernel makes of them is its own affair.
    blind = max(0, q.shape[2] - k.shape[2] - mask.right) if mask.right is not None else 0
    arguments = _arguments(q[:, :, blind:], k, v, mask, scale)
    out = _library().memory_efficient_attention(**arguments)
    out = out.flatten(2, -2).transpose(1, 2)
    return pad(out, (0, 0, blind, 0)) if blind else out


def attention_bias(mask: Mask, query_length: int, key_length: int) -> Any:
    """Say the mask as one of xformers' bias objects; None hides nothing.

    Both objects line up the last query with the last key. Theirs counts the reach to the left
    without the query's own key; an unlimited one is bounded by the lengths.
    """
    if mask.is_full:
        return None
    biases = _library().fmha.attn_bias
    if mask.kind == "causal":
        return biases.LowerTriangularFromBottomRightMask()
    return biases.LocalAttentionFromBottomRightMask(
        window_left=(key_length if mask.left is None else mask.left) - 1,
        window_right=query_length - 1 if mask.right is None else mask.right,
    )


def _arguments(q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: float) -> dict[str, Any]:
    """q, k and v as [B, T, H, D], or as [B, T, Hk, Hq // Hk, D] where heads are grouped."""
    bias = attention_bias(mask, q.shape[2], k.shape[2])
    group = q.shape[1] // k.shape[1]
    query, key, value = (x.transpose(1, 2) for x in (q, k, v))
    if group > 1:
        query = unflatten(query, 2, (-1, group))
        key, value = (x.unsqueeze(3).expand(-1, -1, -1, group, -1) for x in (key, value))
    return {"query": query, "key": key, "value": value, "attn_bias": bias, "scale": scale}


@lru_cache(maxsize=1)
def _library() -> Any:
    """Import it when first needed: that takes seconds, and warns where there is no CUDA."""
    return importlib.import_module("xformers.ops")
