"""torch.nn.functional.scaled_dot_product_attention: as people call it, and each backend alone.

In `sdpa` torch chooses the backend, and `operator` names its choice.

On a CPU torch has `math` (dense) and `flash` (blockwise, arXiv 2205.14135); `efficient` and `cudnn`
need an NVIDIA device. torch's `is_causal` has top-left alignment, the contract bottom-right. They
are equal for Tq == Tk only; otherwise the mask is a tensor: bool, or with a bias in the dtype of
the queries. That tensor is the only one of size Tq x Tk, except in `math`. No backend supports a
softcap or a sink.

The limits on NVIDIA devices are those of torch's dispatcher and kernels, read in torch's source
under aten/src/ATen/native. Its wheels 2.11.0 and 2.13.0 were compared: the same but for cuDNN's
largest batch, which 2.13 checks and 2.11 does not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import BiasValues, Limits, Mask, Problem, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

HALVES: Final = ("float16", "bfloat16")
NEWEST: Final = (12, 2)
"""First capability that torch refuses: check_*_hardware_support, cuda/sdp_utils.cpp."""
LARGEST_GRID: Final = 65535
"""Blocks of a CUDA grid in its second and third dimension."""
AMPERE: Final[dict[str, Any]] = {
    "devices": ("cuda",),
    "dtypes": HALVES,
    "cuda_capability": (8, 0),
    "cuda_capability_below": NEWEST,
}
"""check_dtypes_low_precision and check_flash_attention_hardware_support, cuda/sdp_utils.cpp."""
FLASH: Final[dict[str, Any]] = {
    **AMPERE,
    "masks": ("full", "causal"),  # check_for_attn_mask, sdp_utils_cpp.h
    "unequal_masks": ("full",),  # check_flash_causal_non_square_seqlens, cuda/sdp_utils.cpp
    # The batch is the second dimension of the grid: run_flash_fwd, flash_fwd_launch_template.h.
    "most_batch": LARGEST_GRID,
    # check_requires_grad_and_head_dim_gt192_constraints_on_sm86_89_or_120, cuda/sdp_utils.cpp
    "forward_only_dims": range(193, 225),
    "forward_only_on": ("8.6", "8.7", "8.9", "12.0", "12.1"),
}
EFFICIENT: Final[dict[str, Any]] = {
    "devices": ("cuda",),
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "grouped_heads": False,  # check_batch_size_and_num_heads_dense<false>, cuda/sdp_utils.cpp
    "own_value_dim": True,
}
"""Head dimensions are multiples of minimum_gemm_alignment, cuda/sdp_utils.cpp. Batches above
LARGEST_GRID are split: _scaled_dot_product_efficient_attention_cuda, cuda/attention.cu. Queries
that see no key get zeros: kernel_forward.h."""
CUDNN: Final[dict[str, Any]] = {
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "own_value_dim": True,
    "least_key_length": 2,  # check_cudnn_tensor_shapes, cuda/sdp_utils.cpp
    "most_batch": LARGEST_GRID,
    # Queries that see no key: torch 2.11 fills bool masks with a finite number, so that such
    # queries see every key (convert_boolean_attn_mask_cudnn, transformers/attention.cpp). Later
    # versions fill with -inf, for which cuDNN documents no result.
    "keyless_rows": False,
}
"""Further limits of check_cudnn_tensor_shapes, cuda/sdp_utils.cpp, are head dimensions by
capability: 128; 256 on 9.0; 192 with values of 128 on 10.x."""


def in_float32(problem: Problem) -> str:
    """A note on half precision: _scaled_dot_product_attention_math converts it to float32.

    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp is off by default.
    """
    return "converts to float32 and computes in it" if problem.dtype in HALVES else ""


def in_tf32(problem: Problem) -> str:
    """A note on float32: OpMultiplyAddFastF32 in mem_eff_attention/gemm_kernel_utils.h."""
    if problem.dtype != "float32":
        return ""
    return "float32 products are three TF32 products each on compute capability 8.0 and later"


def requested_math(*_: Tensor, **__: Any) -> str:
    """The kernel of `sdpa_math`, which requests it: elsewhere it is a fallback."""
    return "math"


def operator(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> str:
    """The backend that torch chooses: flash, efficient, cudnn, or "fell back to math"."""
    given = _arguments(q, k, mask, scale, bias)
    # scaled_dot_product_attention itself calls this function; torch has no public name for it.
    choice: int = torch._fused_sdp_choice(q, k, v, **given)  # noqa: SLF001 - no public name
    name = SDPBackend(choice).name.lower().removesuffix("_attention")
    return f"fell back to {name}" if name == "math" else name


@implementation(
    Limits(devices=("cpu", "mps"), masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True),
    # torch may choose cuDNN, whose results for queries without keys are not defined: see CUDNN.
    Limits(
        devices=("cuda",),
        masks=EVERY_MASK,
        biases=EVERY_BIAS,
        own_value_dim=True,
        keyless_rows=False,
    ),
    operator=operator,
)
def sdpa(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """scaled_dot_product_attention with the backend that torch chooses."""
    return scaled_dot_product_attention(q, k, v, **_arguments(q, k, mask, scale, bias))


@implementation(
    Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True),
    remark=in_float32,
    operator=requested_math,
)
def sdpa_math(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """Separate matrix products and softmax; holds whole Tq x Tk matrices."""
    return _sdpa(SDPBackend.MATH, (q, k, v), mask, scale, bias)


@implementation(
    Limits(devices=("cpu",), masks=EVERY_MASK, biases=EVERY_BIAS),
    # check_head_dim_size_flash, cuda/sdp_utils.cpp; torch pads to multiples of 8.
    Limits(**FLASH, head_dims=range(1, 257)),
)
def sdpa_flash(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """Blockwise attention with an online softmax; scores stay in the cache."""
    return _sdpa(SDPBackend.FLASH_ATTENTION, (q, k, v), mask, scale, bias)


@implementation(
    Limits(**{**AMPERE, **EFFICIENT}, head_dims=range(8, 1025, 8), value_dims=range(8, 1025, 8)),
    Limits(
        **{**AMPERE, **EFFICIENT, "dtypes": ("float32",)},
        head_dims=range(4, 1025, 4),
        value_dims=range(4, 1025, 4),
    ),
    Limits(
        **EFFICIENT,
        dtypes=("float16",),
        head_dims=range(8, 1025, 8),
        value_dims=range(8, 1025, 8),
        cuda_capability=(7, 0),
        cuda_capability_below=(8, 0),
    ),
    Limits(**EFFICIENT, dtypes=("float32",), cuda_capability=(5, 0), cuda_capability_below=(8, 0)),
    remark=in_tf32,
    ran_on="NVIDIA H200, 2026-11-29",
)
def sdpa_efficient(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """The memory-efficient CUTLASS kernel (arXiv 2112.05682)."""
    return _sdpa(SDPBackend.EFFICIENT_ATTENTION, (q, k, v), mask, scale, bias)


@implementation(
    Limits(**AMPERE, **CUDNN, head_dims=range(8, 129, 8), value_dims=range(8, 129, 8)),
    Limits(
        **{**AMPERE, **CUDNN, "cuda_capability": (9, 0), "cuda_capability_below": (9, 1)},
        head_dims=range(8, 257, 8),
        value_dims=range(8, 257, 8),
    ),
    Limits(
        **{**AMPERE, **CUDNN, "cuda_capability": (10, 0), "cuda_capability_below": (11, 0)},
        head_dims=range(192, 193),
        value_dims=range(128, 129),
    ),
    ran_on="NVIDIA H200, 2026-11-29",
)
def sdpa_cudnn(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """The fused kernel of NVIDIA's cuDNN."""
    return _sdpa(SDPBackend.CUDNN_ATTENTION, (q, k, v), mask, scale, bias)


def _sdpa(
    backend: SDPBackend,
    qkv: tuple[Tensor, Tensor, Tensor],
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
) -> Tensor:
    given = _arguments(*qkv[:2], mask, scale, bias)
    with sdpa_kernel(backend):
        return scaled_dot_product_attention(*qkv, **given)


def _arguments(
    q: Tensor, k: Tensor, mask: Mask, scale: float, bias: BiasValues | None
) -> dict[str, Any]:
    """The keyword arguments of scaled_dot_product_attention."""
    queries, keys = q.shape[2], k.shape[2]
    sizes = q.shape[0], queries, keys
    hides = mask.hides_a_key(*sizes)
    top_left = bias is None and mask.kind == "causal" and hides and queries == keys
    seen = _visible(mask, sizes, q.device) if hides and not top_left else None
    return {
        "attn_mask": seen if bias is None else _biased(bias, seen, q, keys),
        "is_causal": top_left,
        "scale": scale,
        "enable_gqa": q.shape[1] != k.shape[1],
    }


def _biased(bias: BiasValues, seen: Tensor | None, q: Tensor, key_length: int) -> Tensor:
    """The bias, -inf at hidden pairs, [B or 1, Hq, Tq, Tk] in the dtype of the queries.

    Computed in every call: its values are inputs.
    """
    positions = range(key_length - q.shape[2], key_length)
    added = bias.between(positions, range(key_length))[None].to(q.dtype)
    return added if seen is None else added.masked_fill(~seen, float("-inf"))


@lru_cache(maxsize=1)
def _visible(mask: Mask, sizes: tuple[int, int, int], device: torch.device) -> Tensor:
    """The dense mask for B, Tq and Tk, cached: it depends on the problem only.

    Where all queries of a row see the same keys, it has one query, and broadcasts.
    """
    batch, queries, keys = sizes
    is_padding = mask == Mask(padding=mask.padding)
    return mask.dense(batch, 1 if is_padding else queries, keys, device)
