"""scaled_dot_product_attention on the stand-in: what torch's CUDA backends refuse and compute.

What the dispatcher refuses was read in torch's source (ATen/native/transformers/cuda/sdp_utils.cpp
and transformers/sdp_utils_cpp.h) and compared with the dispatchers in the wheels 2.11.0 and 2.13.0,
with a device of each capability that their functions were made to see. It is stated here without
use of Limits, which a test compares with it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, _cur_sdpa_kernel_backends, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

HALVES = (torch.float16, torch.bfloat16)
HIDDEN_BEFORE_212 = -65504.0
"""What convert_boolean_attn_mask_cudnn of torch 2.11 adds to hidden scores, in place of -inf."""


def scaled_dot_product(  # noqa: PLR0913 - torch's parameters
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's parameter
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """The first enabled backend, in torch's order, that takes the call; else torch's refusal."""
    qkv, enabled = (query, key, value), _cur_sdpa_kernel_backends()
    for backend in _ORDER:
        if backend in enabled and not refusal(
            backend, qkv, attn_mask, is_causal=is_causal, enable_gqa=enable_gqa
        ):
            break
    else:
        raise RuntimeError("No available kernel. Aborting execution.")
    if backend is SDPBackend.MATH:
        with sdpa_kernel(SDPBackend.MATH), torch._C.DisableTorchFunction():
            return scaled_dot_product_attention(
                *qkv, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
    added = _additive(backend, attn_mask, query.dtype)
    scale = query.shape[3] ** -0.5 if scale is None else scale
    return _fused(backend, qkv, added, is_causal=is_causal, scale=scale)


_ORDER = (
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)
"""priority_order in cuda/sdp_utils.cpp, on capability 9.0 and 10.x."""


def refusal(
    backend: SDPBackend,
    qkv: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None,
    *,
    is_causal: bool,
    enable_gqa: bool,
) -> str:
    """Why a backend does not take a call on the device here; empty where it does."""
    if backend is SDPBackend.MATH:
        return ""
    if qkv[0].shape[1] != qkv[1].shape[1] and not (
        enable_gqa and backend is not SDPBackend.EFFICIENT_ATTENTION
    ):
        return "heads"
    if mask is not None and mask.requires_grad:
        return "gradient of the mask"
    if any(x.stride(-1) != 1 for x in qkv if x.shape[-1] > 1):
        return "strides"
    trains = torch.is_grad_enabled() and any(x.requires_grad for x in qkv)
    sm = 10 * torch.cuda.get_device_capability()[0] + torch.cuda.get_device_capability()[1]
    dims = qkv[0].shape[3], qkv[2].shape[3]
    if sm > 121:
        return "newer device"
    if backend is SDPBackend.EFFICIENT_ATTENTION:
        return _efficient(qkv[0].dtype, sm, dims)
    if sm < 80 or qkv[0].dtype not in HALVES:
        return "device or dtype"
    if backend is SDPBackend.FLASH_ATTENTION:
        lengths = qkv[0].shape[2], qkv[1].shape[2]
        return _flash(sm, dims, mask, trains=trains, slanted=is_causal and lengths[0] != lengths[1])
    return _cudnn(sm, dims, qkv)


def _flash(
    sm: int, dims: tuple[int, int], mask: Tensor | None, *, trains: bool, slanted: bool
) -> str:
    if mask is not None or slanted:
        return "mask"
    if dims[0] != dims[1] or dims[0] > 256:
        return "head dimension"
    small_shared_memory = 86 <= sm <= 89 or sm >= 120
    return "backward" if trains and small_shared_memory and 192 < dims[0] <= 224 else ""


def _efficient(dtype: torch.dtype, sm: int, dims: tuple[int, int]) -> str:
    if dtype is torch.float64 or sm < 50 or (dtype is torch.bfloat16 and sm < 80):
        return "device or dtype"
    elements = 4 if dtype is torch.float32 else 8
    with_tensor_cores = sm >= (80 if dtype is torch.float32 else 70)
    unaligned = with_tensor_cores and any(dim % elements for dim in dims)
    return "head dimension" if unaligned else ""


def _cudnn(sm: int, dims: tuple[int, int], qkv: tuple[Tensor, Tensor, Tensor]) -> str:
    if qkv[1].shape[2] == 1:
        return "one key"
    if max(qkv[0].shape[:2]) > 65535:
        return "grid"
    largest = 256 if sm == 90 else 128
    if 100 <= sm < 110 and dims == (192, 128):
        largest = 192
    return "head dimension" if max(dims) > largest or any(dim % 8 for dim in dims) else ""


def _additive(backend: SDPBackend, mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The mask as a term of the scores: convert_boolean_attn_mask, transformers/attention.cpp."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    version = tuple(int(each) for each in torch.__version__.split(".")[:2])
    finite = backend is SDPBackend.CUDNN_ATTENTION and version < (2, 12)
    hidden = HIDDEN_BEFORE_212 if finite else -torch.inf
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, hidden)


def _fused(
    backend: SDPBackend,
    qkv: tuple[Tensor, Tensor, Tensor],
    added: Tensor | None,
    *,
    is_causal: bool,
    scale: float,
) -> Tensor:
    """The result of a fused kernel, dense: in float32, rounded to the dtype of the queries.

    Rows without a key: zeros in `efficient`; NaN in `cudnn`, which documents no result.
    """
    group = qkv[0].shape[1] // qkv[1].shape[1]
    q, k, v = (x.float() for x in qkv)
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.mT * scale
    if added is not None:
        scores = scores + added.float()
    if is_causal:  # top-left
        seen = torch.ones(scores.shape[2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if backend is SDPBackend.CUDNN_ATTENTION:
        return (scores.softmax(-1) @ v).to(qkv[0].dtype)
    blind = (scores == -torch.inf).all(-1, keepdim=True)
    weights = scores.masked_fill(blind, 0.0).softmax(-1)
    return (weights.masked_fill(blind, 0.0) @ v).to(qkv[0].dtype)
