"""Settings that torch keeps for the whole process."""

# ruff: noqa: SLF001 - torch has no public getters of its profiler, hooks and modes

from __future__ import annotations

from functools import partial
from typing import Any, Final

import torch

from suites.process_state.watched import Watched, settings

_BACKENDS: Final[Any] = torch.backends
"""Any: parts of it carry no types."""
_CUDA: Final[Any] = torch.cuda
_C: Final[Any] = torch._C
_DETERMINISTIC: Final[Any] = torch.utils.deterministic
_SUMS: Final = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
"""Attributes of torch.backends.cuda.matmul: how NVIDIA's half-precision products are summed."""
_SMALLEST: Final = [5e-324]
"""The smallest denormal number, in a list so that Python does not fold the product below."""


def _restore_default_device(before: torch.device) -> None:
    """The CPU is set as None: torch's mode for a default device would slow every call."""
    torch.set_default_device(None if before == torch.device("cpu") else before)


def _float32_precision() -> str:
    """The precision for all of torch, CUDA's and oneDNN's products; none and ieee are the same."""
    return "/".join(each.fp32_precision.replace("none", "ieee") for each in _products())


def _restore_float32_precision(before: str) -> None:
    for each, precision in zip(_products(), before.split("/"), strict=True):
        each.fp32_precision = precision


def _products() -> tuple[Any, ...]:
    return _BACKENDS, _BACKENDS.cuda.matmul, _BACKENDS.mkldnn.matmul


def _stop_profiler(_: object) -> None:
    if _C._autograd._profiler_enabled():
        _C._autograd._disable_profiler()


def _saved_tensor_hooks() -> Any:
    return _C._autograd._top_saved_tensors_default_hooks(False)


def _remove_saved_tensor_hooks(before: Any) -> None:
    while _saved_tensor_hooks() not in (before, None):
        _C._autograd._pop_saved_tensors_default_hooks()


def _mode_depths() -> tuple[int, int]:
    return _C._len_torch_function_stack(), _C._len_torch_dispatch_stack()


def _stream() -> tuple[int, int]:
    if not _CUDA.is_initialized():
        return 0, 0
    return _CUDA.current_device(), _CUDA.current_stream().cuda_stream


WATCHED: Final = (
    Watched("torch's threads", torch.get_num_threads, torch.set_num_threads, quick=True),
    Watched("torch's threads between operations", torch.get_num_interop_threads, quick=True),
    Watched("the default dtype", torch.get_default_dtype, torch.set_default_dtype, quick=True),
    Watched("the default device", torch.get_default_device, _restore_default_device),
    Watched(
        "the seed",
        torch.initial_seed,
        torch.manual_seed,
        lambda *_: "seeded torch's random numbers",  # numbers drawn do not change the seed
    ),
    Watched("grad mode", torch.is_grad_enabled, torch.set_grad_enabled, quick=True),
    Watched("inference mode", torch.is_inference_mode_enabled, quick=True),
    settings(
        "autocast",
        {
            device: (
                partial(torch.is_autocast_enabled, device),
                partial(torch.set_autocast_enabled, device),
            )
            for device in ("cpu", "cuda")
        },
        quick=True,
    ),
    Watched(
        "deterministic mode",
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
        quick=True,
    ),
    Watched(
        "the filling of uninitialized memory",
        partial(getattr, _DETERMINISTIC, "fill_uninitialized_memory"),
        partial(setattr, _DETERMINISTIC, "fill_uninitialized_memory"),
    ),
    Watched("float32 precision", _float32_precision, _restore_float32_precision),
    settings(
        "half-precision sums",
        {
            name: (
                partial(getattr, _BACKENDS.cuda.matmul, name),
                partial(setattr, _BACKENDS.cuda.matmul, name),
            )
            for name in _SUMS
        },
    ),
    settings(
        "torch's choice of kernels",
        {
            "flash": (_BACKENDS.cuda.flash_sdp_enabled, _BACKENDS.cuda.enable_flash_sdp),
            "math": (_BACKENDS.cuda.math_sdp_enabled, _BACKENDS.cuda.enable_math_sdp),
            "memory-efficient": (
                _BACKENDS.cuda.mem_efficient_sdp_enabled,
                _BACKENDS.cuda.enable_mem_efficient_sdp,
            ),
            "cuDNN": (_BACKENDS.cuda.cudnn_sdp_enabled, _BACKENDS.cuda.enable_cudnn_sdp),
            "oneDNN": (_C._get_mkldnn_enabled, _BACKENDS.mkldnn.set_flags),
        },
        quick=True,
    ),
    Watched(
        "flushing of denormals",
        lambda: _SMALLEST[0] * 1.0 == 0,
        torch.set_flush_denormal,
        quick=True,
    ),
    Watched("torch's profiler", _C._autograd._profiler_enabled, _stop_profiler, quick=True),
    Watched("anomaly mode", torch.is_anomaly_enabled, torch.set_anomaly_enabled, quick=True),
    Watched(
        "saved-tensor hooks",
        _saved_tensor_hooks,
        _remove_saved_tensor_hooks,
        lambda *_: "left saved-tensor hooks on, or removed some",
        quick=True,
    ),
    Watched("the numbers of function and dispatch modes", _mode_depths, quick=True),
    Watched("the CUDA device and stream", _stream, quick=True),
)
