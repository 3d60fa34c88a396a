"""xformers' memory_efficient_attention: a choice among CUDA kernels (arXiv 2112.05682, 2205.14135).

It runs on NVIDIA devices only; no such device was available. Its whole check runs on an emulation
of torch's kernels (tests/stand_in/kernels.py): how the library calls them is tested, the kernels
themselves are not. Version 0.0.35 computes attention with torch's own kernels, FlashAttention-2 and
CUTLASS, yet refuses every call where its own extension does not load. That extension loads beside
the CUDA version of its build only; otherwise this file says so and is missing.

Masks are passed as objects of the library where it has one: a band, or full or causal documents,
concatenated into a batch of one. All other masks are a dense tensor, its "arbitrary mask (slower)":
padding, since the objects for padded keys have no backward pass; windows in documents, since the
objects for these are causal only; and every bias.

Half precision uses FlashAttention-2; with a tensor mask, and for float32, a CUTLASS kernel. That
kernel has no window in its backward pass, so that float32 windows are tensors too. Grouped heads
are five-dimensional inputs, experimental by the documentation, and forward only. `operator` names
the kernel. No kernel supports a softcap or a sink. A value dimension of its own must be aligned
like the head dimension; Limits cannot express that, so it is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import unflatten
from torch.nn.functional import pad

from impls.interface import BiasValues, Limits, Mask, Problem, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    from torch import Tensor


def _expect_its_extension() -> None:
    """Raise ImportError where the library is not installed, or built for another CUDA than torch.

    xformers/_cpp_lib.py writes the CUDA version of the build as 1208 for 12.8.
    """
    found = importlib.util.find_spec("xformers")
    if found is None or not found.submodule_search_locations:
        raise ImportError("xformers is not installed")
    build = Path(found.submodule_search_locations[0], "cpp_lib.json")
    version = json.loads(build.read_text())["version"]["cuda"] if build.exists() else None
    here = torch.version.cuda
    if here is not None and version is not None and int(here.split(".")[0]) != version // 100:
        raise ImportError(
            f"xformers is built for CUDA {version // 100}.{version % 100} and refuses every call "
            f"beside torch for CUDA {here}; install a build of xformers for CUDA {here}"
        )


_expect_its_extension()

OBJECTS = ("full", "causal", "window", "documents", "causal+documents")
"""Kinds of mask that the library has objects for, with a forward and a backward pass."""
LARGEST_GRID = 65535
"""Blocks of a CUDA grid in its second and third dimension: both kernels put the batch there."""
FLASH: dict[str, Any] = {  # FlashAttention-2, as in xformers/ops/fmha/flash.py
    "devices": ("cuda",),
    "dtypes": ("float16", "bfloat16"),
    "head_dims": range(8, 257, 8),
    "cuda_capability": (8, 0),
    "most_batch": LARGEST_GRID,
}
CUTLASS: dict[str, Any] = {  # as in xformers/ops/fmha/cutlass.py
    "devices": ("cuda",),
    "masks": EVERY_MASK,
    "biases": EVERY_BIAS,
    "cuda_capability_below": (9, 1),  # CUDA_MAXIMUM_COMPUTE_CAPABILITY
    "most_batch": LARGEST_GRID,
}
ALIGNED = 8
"""Rows of a tensor bias start at multiples of this many elements."""


def operator(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> str:
    """The names of the kernels that xformers picks: forward, and backward where it is needed.

    `-pt` in a name means torch's own kernel.
    """
    attn_bias = (
        tensor_bias(mask, bias, q, k)[0] if is_tensor(mask, bias, q) else object_bias(mask, q, k)
    )
    trains = any(x.requires_grad for x in (q, k, v))
    kernels = _picked(_arguments(q, k, v, attn_bias, scale), trains=trains)
    return ", ".join(each.NAME for each in kernels if each is not None)


def in_tf32(problem: Problem) -> str:
    """A note on float32: torch's OpMultiplyAddFastF32, mem_eff_attention/gemm_kernel_utils.h."""
    if problem.dtype != "float32":
        return ""
    return "float32 products are three TF32 products each on compute capability 8.0 and later"


def _on_cuda(**limits: Any) -> Iterator[Limits]:
    """The limits twice: grouped heads have no backward pass."""
    yield Limits(**limits, grouped_heads=False)
    yield Limits(**limits, backward=False)


@implementation(
    *_on_cuda(
        **FLASH,
        masks=OBJECTS,
        forward_only_dims=range(193, 225),  # mha_bwd, flash_api.cpp
        forward_only_on=("8.6", "8.7", "8.9", "12.0", "12.1"),
    ),
    *_on_cuda(**FLASH | CUTLASS),
    *_on_cuda(**CUTLASS, dtypes=("float32",), head_dims=range(4, 1025, 4), cuda_capability=(6, 0)),
    operator=operator,
    remark=in_tf32,
    ran_on="",
)
def xformers(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float, bias: BiasValues | None = None
) -> Tensor:
    """The kernel that xformers picks, in its layout [B, T, H, D].

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]
    out     [B, Hq, Tq, D]
    """
    # Kernels do not define the output of queries without keys. These are left out, or see all keys
    # and are set to zero afterwards.
    if is_tensor(mask, bias, q):
        attn_bias, blind = tensor_bias(mask, bias, q, k)
        return _attend(q, k, v, attn_bias, scale).masked_fill(blind, 0.0)
    first = 0 if mask.right is None else max(0, q.shape[2] - k.shape[2] - mask.right)
    seeing = q[:, :, first:]
    out = _attend(seeing, k, v, object_bias(mask, seeing, k), scale)
    return pad(out, (0, 0, first, 0)) if first else out


def is_tensor(mask: Mask, bias: BiasValues | None, q: Tensor) -> bool:
    """Whether no mask object covers this mask and bias in forward and backward."""
    if bias is not None or mask.kind not in OBJECTS:
        return True
    return mask.kind == "window" and q.dtype == torch.float32


def object_bias(mask: Mask, q: Tensor, k: Tensor) -> Any:
    """The mask as a bias object of xformers; None for a full mask.

    Objects for bands have bottom-right alignment. The left reach of a window excludes the query's
    own key there; an unlimited reach is replaced by the length.
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
    """The tensor added to the scores, [B, Hq, Tq, Tk], and the blind queries, [B or 1, 1, Tq, 1].

    Blind queries see no key; this tensor lets them see every key. The bias is computed in every
    call, since its values are inputs.
    """
    length, key_length = q.shape[2], k.shape[2]
    added, blind = _hiding(mask, (q.shape[0], length, key_length), q.dtype, q.device)
    if bias is not None:
        positions = range(key_length - length, key_length)
        added = added + bias.between(positions, range(added.shape[3])).to(q.dtype)
    return added[..., :key_length].expand(*q.shape[:3], key_length), blind


@lru_cache(maxsize=1)
def _documents(mask: Mask, batch: int, device: torch.device) -> Any:
    """The documents of all batch rows, concatenated; full or causal."""
    lengths = list(mask.documents or ()) * batch
    attn_bias = _library().fmha.attn_bias.BlockDiagonalMask.from_seqlens(lengths, device=device)
    return attn_bias if mask.right is None else attn_bias.make_causal()


@lru_cache(maxsize=1)
def _hiding(
    mask: Mask, sizes: tuple[int, int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """-inf at hidden pairs, else 0, [B or 1, 1, Tq, Tk padded to ALIGNED]; and the blind queries.

    sizes   B, Tq and Tk
    """
    batch, query_length, key_length = sizes
    with torch.inference_mode(mode=False):  # a cached mask must also work in a later training call
        seen = mask.dense(batch, query_length, key_length, device)
        seen = seen.reshape(-1, 1, query_length, key_length)
        blind = ~seen.any(-1, keepdim=True)
        added = torch.zeros((), dtype=dtype, device=device)
        hidden = pad(~(seen | blind), (0, -key_length % ALIGNED))
        return added.masked_fill(hidden, float("-inf")), blind


def _attend(q: Tensor, k: Tensor, v: Tensor, attn_bias: Any, scale: float) -> Tensor:
    """The output of the library as [B, Hq, Tq, D]."""
    given = _arguments(q, k, v, attn_bias, scale)
    trains = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    # In deterministic mode the library refuses its flash backward, and has no other for windows
    # and documents. The check uses that mode to fill memory with NaN: it must test the same kernel.
    kernels = (
        _picked(given, trains=trains) if torch.are_deterministic_algorithms_enabled() else None
    )
    out: Tensor = _library().memory_efficient_attention(**given, op=kernels)
    return out.reshape(q.shape[0], q.shape[2], q.shape[1], v.shape[3]).transpose(1, 2)


def _arguments(q: Tensor, k: Tensor, v: Tensor, attn_bias: Any, scale: float) -> dict[str, Any]:
    """The arguments of the library: q, k and v as [B, T, H, D], or [B, T, Hk, Hq // Hk, D].

    Documents need a batch of one, so that batch rows are concatenated along T.
    """
    blocks = isinstance(attn_bias, _library().fmha.attn_bias.BlockDiagonalMask)
    query, key, value = (x.transpose(1, 2) for x in (q, k, v))
    if blocks:
        query, key, value = (x.flatten(0, 1)[None] for x in (query, key, value))
    group = q.shape[1] // k.shape[1]
    if group > 1:
        query = unflatten(query, 2, (-1, group))
        key, value = (x.unsqueeze(3).expand(-1, -1, -1, group, -1) for x in (key, value))
        if isinstance(attn_bias, torch.Tensor):
            attn_bias = _grouped(attn_bias, group)
    return {"query": query, "key": key, "value": value, "attn_bias": attn_bias, "scale": scale}


def _grouped(attn_bias: Tensor, group: int) -> Tensor:
    """A tensor bias as [B, Hk, Hq // Hk, Tq, Tk].

    unflatten would give a dimension of size 1 another stride, which the library then refuses.
    """
    (batch, heads, queries, keys), (of_batch, of_heads, *others) = (
        attn_bias.shape,
        attn_bias.stride(),
    )
    shape = batch, heads // group, group, queries, keys
    return attn_bias.as_strided(shape, (of_batch, of_heads * group, of_heads, *others))


def _picked(given: dict[str, Any], *, trains: bool) -> tuple[Any, Any]:
    """The kernels of forward and backward that the library picks outside deterministic mode."""
    dispatch, inputs = _library().fmha.dispatch, _library().fmha.Inputs(**given)
    mode = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("default")
    try:
        forward = dispatch._dispatch_fw(inputs, trains)  # noqa: SLF001 - no public function
        if not trains:
            return forward, None
        packed = forward.VARLEN_LSE_PACKED
        return forward, dispatch._dispatch_bw(inputs, packed)  # noqa: SLF001 - no public function
    finally:
        torch.set_deterministic_debug_mode(mode)


@lru_cache(maxsize=1)
def _library() -> Any:
    """xformers.ops, imported at first use: this takes seconds, and warns without CUDA."""
    return importlib.import_module("xformers.ops")
