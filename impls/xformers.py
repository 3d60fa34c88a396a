"""xformers' memory_efficient_attention: a choice among CUDA kernels (arXiv 2112.05682, 2205.14135).

It runs on NVIDIA devices only, and never ran: the H200 that was available had torch for CUDA 13.0,
beside which it refuses every call. Its whole check runs on an emulation of torch's kernels
(tests/stand_in/kernels.py), which shows how the library calls them. Version 0.0.35 computes
attention with torch's own kernels, FlashAttention-2 and CUTLASS, yet refuses every call where its
own extension does not load. That extension loads beside the CUDA version of its build only;
otherwise this file says so and is missing.

Masks are passed as objects of the library where it has one: a band, or full or causal documents,
concatenated into a batch of one. All other masks are a dense tensor, its "arbitrary mask (slower)":
padding, since the objects for padded keys have no backward pass; windows in documents, since the
objects for these are causal only; and every bias.

Half precision uses FlashAttention-2; with a tensor mask, and for float32, a CUTLASS kernel. That
kernel has no window in its backward pass, so that float32 windows are tensors too. Grouped heads
are five-dimensional inputs, experimental by the documentation, and forward only. No kernel supports
a softcap or a sink. A value dimension of its own must be aligned like the head dimension; Limits
cannot express that, so it is refused.

The setting `operator` names one of the library's kernels; without it, the library picks one. `fa3`
and `blackwell` are kernels of other packages, flash_attn_3 and fbgemm-gpu-genai. The limits of each
are `not_supported_reasons` of its class in xformers/ops/fmha.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import unflatten
from torch.nn.functional import pad

from impls.interface import BiasValues, Library, Limits, Mask, Problem, implementation
from impls.interface.additive import grouped, hidden_pairs, tensor_bias
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    from torch import Tensor


def _unusable() -> str:
    """Why xformers does not import, or refuses every call; "" where it is usable.

    Its import fails beside flash-attn-4 without flash-attn. Its calls fail where it is built for
    another CUDA than torch; xformers/_cpp_lib.py writes that version as 1208 for 12.8.
    """
    if (flash_attn := importlib.util.find_spec("flash_attn")) and flash_attn.origin is None:
        return (
            "it does not import beside flash-attn-4 without flash-attn; install that with: "
            "python -m pip install flash-attn --no-build-isolation"
        )
    found = importlib.util.find_spec("xformers")
    build = Path(next(iter(found.submodule_search_locations or ()), "") if found else "")
    build /= "cpp_lib.json"
    version = json.loads(build.read_text())["version"]["cuda"] if build.exists() else None
    here = torch.version.cuda
    if here is None or version is None or int(here.split(".")[0]) == version // 100:
        return ""
    return (
        f"it is built for CUDA {version // 100}.{version % 100} and refuses every call beside "
        f"torch for CUDA {here}; install a build of xformers for CUDA {here}"
    )


NAMED = Library(distribution="xformers", module="xformers.ops")
LIBRARY = replace(NAMED, unusable={NAMED.version: _unusable()} if _unusable() else {})

OBJECTS = ("full", "causal", "window", "documents", "causal+documents")
"""Kinds of mask that the library has objects for, with a forward and a backward pass."""
OF_ROWS: dict[str, Any] = {"masks": ("rows", "causal+rows"), "keyless_rows": False}
"""Objects of packed rows; the causal one needs Tq <= Tk in each row."""
LARGEST_GRID = 65535
"""Blocks of a CUDA grid in its second and third dimension: the kernels put the batch there."""
ON_CUDA: dict[str, Any] = {"devices": ("cuda",), "most_batch": LARGEST_GRID}
HALVES: dict[str, Any] = {
    **ON_CUDA,
    "dtypes": ("float16", "bfloat16"),
    "head_dims": range(8, 257, 8),
    "cuda_capability": (8, 0),
}
FLASH: dict[str, Any] = {  # flash.py
    **HALVES,
    "masks": OBJECTS,
    "forward_only_dims": range(193, 225),  # mha_bwd, flash_api.cpp
    "forward_only_on": ("8.6", "8.7", "8.9", "12.0", "12.1"),
}
TENSORS: dict[str, Any] = {"masks": EVERY_MASK, "biases": EVERY_BIAS}
CUTLASS: dict[str, Any] = {**TENSORS, "cuda_capability_below": (9, 1)}  # cutlass.py
OF_SINGLE: dict[str, Any] = {"dtypes": ("float32",), "head_dims": range(4, 1025, 4)}
SINGLE = ON_CUDA | CUTLASS | OF_SINGLE | {"cuda_capability": (6, 0)}


def _both(**limits: Any) -> tuple[Limits, Limits]:
    """The limits twice: grouped heads have no backward pass."""
    return Limits(**limits, grouped_heads=False), Limits(**limits, backward=False)


def _needs(package: str) -> str:
    """Why a kernel of another package is unavailable; "" where it is installed."""
    why = f"xformers takes this kernel from the package {package}, which is not installed"
    return "" if importlib.util.find_spec(package) else why


OPERATORS: dict[str, tuple[Limits, ...]] = {
    "fa2": (*_both(**FLASH), *_both(**FLASH | OF_ROWS)),
    "fa3": _both(  # flash3.py
        **HALVES | {"head_dims": range(32, 257, 8)},
        masks=OBJECTS,
        forward_only_dims=range(32, 64),
        cuda_capability_below=(9, 1),
        unavailable=_needs("flash_attn_3"),
    ),
    "cutlass": (*_both(**HALVES | CUTLASS | {"head_dims": range(8, 1025, 8)}), *_both(**SINGLE)),
    "blackwell": _both(  # cutlass_blackwell.py
        **HALVES | {"head_dims": range(64, 129, 64), "cuda_capability": (10, 0)},
        masks=OBJECTS,
        own_scale=False,
        queries_at_most_keys=True,
        unavailable=_needs("fbgemm_gpu"),
    ),
    "triton_splitk": tuple(  # triton_splitk.py
        Limits(**HALVES | TENSORS | {"head_dims": range(dim, dim + 1)}, backward=False)
        for dim in (16, 32, 64, 128, 256, 512)
    ),
}
"""Kernels by the setting `operator`, and their limits."""
CLASSES = {"fa2": "flash", "fa3": "flash3", "blackwell": "cutlass_blackwell"}
"""Modules of xformers.ops.fmha that are not named like the setting."""
OBJECTS_OF = {
    "cutlass": tuple(kind for kind in (*OBJECTS, *OF_ROWS["masks"]) if kind != "window"),
    "triton_splitk": ("full",),
}
"""Kinds of mask that a kernel takes as objects, where these are not OBJECTS."""


def kernels(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    operator: str = "",
) -> str:
    """The names of the kernels that run: forward, and backward where it is needed.

    `-pt` in a name means torch's own kernel.
    """
    tensor = is_tensor(mask, bias, q, operator)
    attn_bias = tensor_bias(mask, bias, q, k, _hiding)[0] if tensor else object_bias(mask, q, k)
    trains = any(x.requires_grad for x in (q, k, v))
    found = _named(operator, trains=trains) if operator else None
    chosen = found or _picked(_arguments(q, k, v, attn_bias, scale), trains=trains)
    return ", ".join(each.NAME for each in chosen if each is not None)


def in_tf32(problem: Problem) -> str:
    """A note on float32: torch's OpMultiplyAddFastF32, mem_eff_attention/gemm_kernel_utils.h."""
    if problem.dtype != "float32":
        return ""
    return "float32 products are three TF32 products each on compute capability 8.0 and later"


@implementation(
    *OPERATORS["fa2"],
    *_both(**HALVES | CUTLASS),
    *_both(**SINGLE),
    choices={"operator": OPERATORS},
    operator=kernels,
    remark=in_tf32,
    # It is imported at the first call: importing takes seconds, and warns without CUDA.
    library=LIBRARY if LIBRARY.fault else None,
    ran_on="",
)
def xformers(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    operator: str = "",
) -> Tensor:
    """The kernel that xformers picks, or the one of `operator`, in its layout [B, T, H, D].

    q       [B, Hq, Tq, D]
    k, v    [B, Hk, Tk, D]
    out     [B, Hq, Tq, D]
    """
    # Kernels do not define the output of queries without keys. These are left out, or see all keys
    # and are set to zero afterwards.
    if is_tensor(mask, bias, q, operator):
        attn_bias, blind = tensor_bias(mask, bias, q, k, _hiding)
        return _attend(q, k, v, attn_bias, scale, operator).masked_fill(blind, 0.0)
    first = 0 if mask.right is None else max(0, q.shape[2] - k.shape[2] - mask.right)
    seeing = q[:, :, first:]
    out = _attend(seeing, k, v, object_bias(mask, seeing, k), scale, operator)
    return pad(out, (0, 0, first, 0)) if first else out


def is_tensor(mask: Mask, bias: BiasValues | None, q: Tensor, operator: str = "") -> bool:
    """Whether no mask object covers this mask and bias in forward and backward."""
    picked = operator or ("cutlass" if q.dtype == torch.float32 else "fa2")
    of_kernel = OBJECTS_OF.get(picked, (*OBJECTS, *OF_ROWS["masks"]))
    has_blind_rows = mask.right is not None and any(q > k for q, k in mask.rows or ())
    return bias is not None or mask.kind not in of_kernel or has_blind_rows


def object_bias(mask: Mask, q: Tensor, k: Tensor) -> Any:
    """The mask as a bias object of xformers; None for a full mask.

    Objects for bands have bottom-right alignment. The left reach of a window excludes the query's
    own key there; an unlimited reach is replaced by the length.
    """
    if mask.is_full:
        return None
    biases = _library().fmha.attn_bias
    if mask.rows is not None:
        return _rows(mask, q.device)
    if mask.documents is not None:
        return _documents(mask, q.shape[0], q.device)
    if mask.kind == "causal":
        return biases.LowerTriangularFromBottomRightMask()
    return biases.LocalAttentionFromBottomRightMask(
        window_left=(k.shape[2] if mask.left is None else mask.left) - 1,
        window_right=q.shape[2] - 1 if mask.right is None else mask.right,
    )


_hiding = lru_cache(maxsize=1)(hidden_pairs)


@lru_cache(maxsize=1)
def _documents(mask: Mask, batch: int, device: torch.device) -> Any:
    """The documents of all batch rows, concatenated; full or causal."""
    lengths = list(mask.documents or ()) * batch
    attn_bias = _library().fmha.attn_bias.BlockDiagonalMask.from_seqlens(lengths, device=device)
    return attn_bias if mask.right is None else attn_bias.make_causal()


@lru_cache(maxsize=1)
def _rows(mask: Mask, device: torch.device) -> Any:
    """The rows of a packed batch; full, or causal with each row's end lined up."""
    queries, keys = (list(lengths) for lengths in zip(*(mask.rows or ()), strict=True))
    blocks = _library().fmha.attn_bias.BlockDiagonalMask
    attn_bias = blocks.from_seqlens(queries, keys, device=device)
    return attn_bias if mask.right is None else attn_bias.make_causal_from_bottomright()


def _attend(q: Tensor, k: Tensor, v: Tensor, attn_bias: Any, scale: float, operator: str) -> Tensor:
    """The output of the library as [B, Hq, Tq, D]."""
    given = _arguments(q, k, v, attn_bias, scale)
    trains = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    chosen = _named(operator, trains=trains) if operator else None
    if operator == "blackwell":
        given["scale"] = None  # it takes 1/sqrt(D) only
    # In deterministic mode the library refuses its flash backward, and has no other for windows
    # and documents. The check uses that mode to fill memory with NaN: it must test the same kernel.
    if chosen is None and torch.are_deterministic_algorithms_enabled():
        chosen = _picked(given, trains=trains)
    out: Tensor = _library().memory_efficient_attention(**given, op=chosen)
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
            attn_bias = grouped(attn_bias, group)
    return {"query": query, "key": key, "value": value, "attn_bias": attn_bias, "scale": scale}


def _named(operator: str, *, trains: bool) -> tuple[Any, Any]:
    """The kernels of forward and backward of a setting."""
    module = getattr(_library().fmha, CLASSES.get(operator, operator))
    return module.FwOp, module.BwOp if trains else None


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
