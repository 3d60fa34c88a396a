"""Peak memory of a call above its inputs, in bytes: exact on a CPU and on an NVIDIA device.

On a CPU torch's profiler reports every allocation and release of torch's allocator, including
workspaces of C++ kernels. The running sum from zero repeats to the byte. It does not include numpy,
internal buffers of MKL, or other Python threads. Only this file reads the events, through a private
attribute of the profiler; `self_check` verifies their meaning on a call of known size.

The CUDA path has been tested on a stand-in device only; it never ran on a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C._autograd import DeviceType
from torch.autograd.profiler import profile

from suites.measure.instruments import instrument_for

_CLEAR_PEAK = "5"
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_CUDA_BLOCK = 512
"""Bytes: torch's CUDA allocator returns multiples of this (c10/cuda/CUDACachingAllocator)."""

Made = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory of a call above its inputs.

    peak_bytes      peak of requested bytes: output, workspace and kept tensors
    kept_bytes      tensors that the first call keeps for later calls: masks, weights, caches
    resident_bytes  growth of the process's resident memory; None when it cannot be read
    """

    peak_bytes: int
    kept_bytes: int
    resident_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """Bytes of one call: peak, held at the end, and growth of resident memory."""

    peak: int
    held: int
    resident: int | None = None


def measure(call: Callable[[], Made], device: str) -> tuple[Made, Usage]:
    """The output of a call, and its memory. The caller must hold the inputs.

    When the first call keeps tensors, a second one follows: kept tensors count, the temporary
    memory of making them does not. Raises ValueError for a device without a memory counter.
    """
    table = {
        "cpu": lambda: _measured(call, _read_cpu, 1),
        "cuda": lambda: measure_cuda(call, torch.cuda),
    }
    return instrument_for(device, table)()


def measure_cuda(call: Callable[[], Made], cuda: Any) -> tuple[Made, Usage]:
    """`measure` by the counters of torch's CUDA allocator; `cuda` is torch.cuda or a stand-in."""
    return _measured(call, lambda call: _read_cuda(call, cuda), _CUDA_BLOCK)


def settle(device: str, dtype: torch.dtype) -> None:
    """Run one product, so that cuBLAS allocates its workspace before memory is measured."""
    if device == "cuda":
        square = torch.ones(64, 64, device=device, dtype=dtype)
        (square @ square).sum().item()


def _measured(
    call: Callable[[], Made],
    read: Callable[[Callable[[], Made]], tuple[Made, _Reading]],
    block: int,
) -> tuple[Made, Usage]:
    made, first = read(call)
    kept = max(0, first.held - _held_by(made, block))
    if not kept:
        return made, Usage(first.peak, 0, first.resident)
    del made
    made, again = read(call)
    return made, Usage(kept + again.peak, kept, first.resident)


def _held_by(made: Made, block: int) -> int:
    """Bytes of the storages of these tensors, each counted once, in whole allocator blocks."""
    storages = [
        each.untyped_storage()
        for each in made
        if isinstance(each, Tensor) and each.layout == torch.strided
    ]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(-(-size // block) * block for size in sizes.values())


def _read_cpu(call: Callable[[], Made]) -> tuple[Made, _Reading]:
    # torch.profiler.profile would import the compiler: two seconds of each check.
    with profile(profile_memory=True, use_kineto=True) as p:
        before = _reset_resident_peak()
        made = call()
        after = _resident("VmHWM")
    running = peak = 0
    for event in p.kineto_results.events():
        if event.name() == "[memory]" and event.device_type() == DeviceType.CPU:
            running += event.nbytes()
            peak = max(peak, running)
    known = before is not None and after is not None
    resident = max(0, (after or 0) - (before or 0)) if known else None
    return made, _Reading(peak, running, resident)


def _read_cuda(call: Callable[[], Made], cuda: Any) -> tuple[Made, _Reading]:
    cuda.synchronize()
    cuda.reset_peak_memory_stats()
    base = cuda.memory_allocated()
    made = call()
    cuda.synchronize()
    return made, _Reading(cuda.max_memory_allocated() - base, cuda.memory_allocated() - base)


def self_check() -> None:
    """Measure a call of known size. Raises RuntimeError when the result differs."""
    size = 1 << 20
    _, usage = measure(lambda: (torch.empty(size, dtype=torch.uint8).fill_(0),), "cpu")
    if usage.peak_bytes != size:
        raise RuntimeError(
            f"the memory instrument reads {usage.peak_bytes} bytes for {size}; "
            "this version of torch reports allocations differently"
        )


def _reset_resident_peak() -> int | None:
    """Return freed memory to the system and reset the peak; resident bytes now, or None."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR_REFS.write_text(_CLEAR_PEAK)
    except (OSError, AttributeError):
        return None  # another C library or system: not measured
    return _resident("VmRSS")


def _resident(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{field}:")), None)
