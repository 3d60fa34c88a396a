"""xformers' memory_efficient_attention: a choice among CUDA kernels (arXiv 2112.05682, 2205.14135).

It runs on NVIDIA devices only, and WE HAVE NEVER RUN IT: no such device was at hand. Tested here
are the masks handed over and the refusals; on a device, trust the agreement check alone.

A mask that the library has an object for is said by that object: a band, or documents that are
whole or causal, which stand one after the other in a batch of one. All else is a dense tensor, its
"arbitrary mask (slower)": padding, since the objects for padded keys have no backward pass; windows
within documents, since those are causal only; and every bias.

Half precision goes to FlashAttention-2, but with a tensor to a CUTLASS kernel, like float32. That
kernel has no window in its backward pass, so there windows are tensors too. Grouped heads are
five-dimensional inputs, which the documentation calls experimental and allows forward only.
`operator` names the kernel. No kernel has a softcap or a sink. Values of another dimension have to
be aligned like the head dimension, which Limits cannot say, so they are refused.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import unflatten
from torch.nn.functional import pad

from impls.interface import BiasValues, Limits, Mask, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    from torch import Tensor

if importlib.util.find_spec("xformers") is None:
    raise ImportError("xformers is not installed")

FLASH: dict[str, Any] = {
    "devices": ("cuda",),
    "dtypes": ("float16", "bfloat16"),
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "head_dims": range(8, 257, 8),
    "cuda_capability": (8, 0),
}
CUTLASS: dict[str, Any] = {
    "devices": ("cuda",),
    "dtypes": ("float32",),
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "head_dims": range(4, 1025, 4),
    "cuda_capability": (6, 0),
}
ALIGNED = 8
"""Rows of a tensor bias begin at multiples of so many numbers, whatever its length."""


def operator(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> str:
    """Name the kernel that xformers picks for the forward pass."""
    fmha = _library().fmha
    said = tensor_bias(mask, bias, q, k)[0] if is_tensor(mask, bias, q) else object_bias(mask, q, k)
    inputs = fmha.Inputs(**_arguments(q, k, v, said, scale))
    needs_gradient = any(x.requires_grad for x in (q, k, v))
    return str(fmha.dispatch._dispatch_fw(inputs, needs_gradient).NAME)  # noqa: SLF001 - no public way


@implementation(
    Limits(**FLASH, grouped_heads=False),
    Limits(**FLASH, backward=False),
    Limits(**CUTLASS, grouped_heads=False),
    Limits(**CUTLASS, backward=False),
    operator=operator,
)
def xformers(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """Whatever kernel xformers picks, in its own layout [B, T, H, D].

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]
    out     [B, Hq, Tq, D]
    """
    # What a kernel makes of queries that see no key is its own affair: they stay out, or see all
    # keys and are blanked afterwards.
    if is_tensor(mask, bias, q):
        said, blind = tensor_bias(mask, bias, q, k)
        return _attend(q, k, v, said, scale).masked_fill(blind, 0.0)
    first = 0 if mask.right is None else max(0, q.shape[2] - k.shape[2] - mask.right)
    seeing = q[:, :, first:]
    out = _attend(seeing, k, v, object_bias(mask, seeing, k), scale)
    return pad(out, (0, 0, first, 0)) if first else out


def is_tensor(mask: Mask, bias: BiasValues | None, q: Tensor) -> bool:
    """Whether there is no object for this mask and bias that a kernel takes, backward too."""
    objects = ("full", "causal", "documents", "causal+documents")
    windows = ("window",) if q.dtype in (torch.float16, torch.bfloat16) else ()
    return bias is not None or mask.kind not in (*objects, *windows)


def object_bias(mask: Mask, q: Tensor, k: Tensor) -> Any:
    """Say the mask as one of xformers' bias objects; None hides nothing.

    Those for bands line up the last query with the last key. That for windows counts the reach to
    the left without the query's own key; an unlimited one is bounded by the lengths.
    """
    if mask.is_full:
        return None
    biases = _library().fmha.attn_bias
    if mask.documents is not None:
        return _documents(mask, q.shape[0], q.device)
    if mask.kind == "causal":
        return biases.LowerTriangularFromBottomRightMask()
    return biases.LocalAttentionFromBottomRightMask(
        window_left=(k.shape[2] if mask.left is None else mask.left) - 1,
        window_right=q.shape[2] - 1 if mask.right is None else mask.right,
    )


def tensor_bias(mask: Mask, bias: BiasValues | None, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """What is added to the scores, [B, Hq, Tq, Tk], and the blind queries, [B or 1, 1, Tq, 1].

    The bias is made in every call, since its values are inputs. Queries that see no key are blind;
    here they see every key.
    """
    length, key_length = q.shape[2], k.shape[2]
    added, blind = _hiding(mask, (q.shape[0], length, key_length), q.dtype, q.device)
    if bias is not None:
        positions = range(key_length - length, key_length)
        added = added + bias.between(positions, range(added.shape[3])).to(q.dtype)
    return added[..., :key_length].expand(*q.shape[:3], key_length), blind


@lru_cache(maxsize=1)
def _documents(mask: Mask, batch: int, device: torch.device) -> Any:
    """Documents of every batch row, one after the other; whole or causal."""
    lengths = list(mask.documents or ()) * batch
    said = _library().fmha.attn_bias.BlockDiagonalMask.from_seqlens(lengths, device=device)
    return said if mask.right is None else said.make_causal()


@lru_cache(maxsize=1)
def _hiding(
    mask: Mask, sizes: tuple[int, int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """-inf where a key is hidden, else 0, [B or 1, 1, Tq, Tk and some]; and the blind queries.

    sizes   B, Tq and Tk. Rows are longer than Tk, so that they begin where the kernel wants them.
    """
    batch, query_length, key_length = sizes
    with torch.inference_mode(mode=False):  # what is kept must also serve a later training call
        rows = torch.arange(batch, device=device)[:, None, None, None]
        positions = torch.arange(query_length, device=device)[:, None] + key_length - query_length
        keys = torch.arange(key_length + -key_length % ALIGNED, device=device)
        seen = mask.visible(rows, positions, keys).reshape(-1, 1, query_length, len(keys))
        blind = ~seen[..., :key_length].any(-1, keepdim=True)
        nothing = torch.zeros((), dtype=dtype, device=device)
        return nothing.masked_fill(~(seen | blind), float("-inf")), blind


def _attend(q: Tensor, k: Tensor, v: Tensor, said: Any, scale: float) -> Tensor:
    """The library's answer as [B, Hq, Tq, D]."""
    out: Tensor = _library().memory_efficient_attention(**_arguments(q, k, v, said, scale))
    return out.reshape(q.shape[0], q.shape[2], q.shape[1], v.shape[3]).transpose(1, 2)


def _arguments(q: Tensor, k: Tensor, v: Tensor, said: Any, scale: float) -> dict[str, Any]:
    """q, k and v as [B, T, H, D], or as [B, T, Hk, Hq // Hk, D] where heads are grouped.

    Blocks of documents want a batch of one, so that B stands before T there.
    """
    blocks = isinstance(said, _library().fmha.attn_bias.BlockDiagonalMask)
    query, key, value = (x.transpose(1, 2) for x in (q, k, v))
    if blocks:
        query, key, value = (x.flatten(0, 1)[None] for x in (query, key, value))
    group = q.shape[1] // k.shape[1]
    if group > 1:
        query = unflatten(query, 2, (-1, group))
        key, value = (x.unsqueeze(3).expand(-1, -1, -1, group, -1) for x in (key, value))
        said = unflatten(said, 1, (-1, group)) if isinstance(said, torch.Tensor) else said
    return {"query": query, "key": key, "value": value, "attn_bias": said, "scale": scale}


@lru_cache(maxsize=1)
def _library() -> Any:
    """Import it when first needed: that takes seconds, and warns where there is no CUDA."""
    return importlib.import_module("xformers.ops")
