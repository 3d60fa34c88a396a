"""Bytes that a call adds to its inputs: exact on a CPU and on an NVIDIA device.

On a CPU torch's profiler reports every allocation and release of its allocator, workspaces of C++
kernels included; their running sum from zero repeats to the byte. It does not see numpy, buffers
that MKL keeps for itself, or other Python threads. The events are read through a private attribute
of the profiler, here alone; `self_check` tells whether they still mean what they did.

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

_CLEAR_PEAK = "5"
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_CUDA_BLOCK = 512
"""torch's CUDA allocator hands out multiples of this many bytes."""

Made = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory that a call takes above its inputs.

    peak_bytes      requested bytes at the highest moment: output, workspace, and what is kept
    kept_bytes      what its first call made and keeps for the next: masks, weights, caches
    resident_bytes  growth of the process's resident memory; None where it cannot be read
    """

    peak_bytes: int
    kept_bytes: int
    resident_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One call: the highest moment, what is held at the end, and resident growth, in bytes."""

    peak: int
    held: int
    resident: int | None = None


def measure(call: Callable[[], Made], device: str) -> tuple[Made, Usage]:
    """What a call returns, and the memory it takes. Inputs must be held outside.

    A first call that keeps something is followed by a second: what making it took is no part of the
    figure, what is kept is.
    """
    read = _read_cpu if device != "cuda" else lambda call: _read_cuda(call, torch.cuda)
    return _measured(call, read, 1 if device != "cuda" else _CUDA_BLOCK)


def measure_cuda(call: Callable[[], Made], cuda: Any) -> tuple[Made, Usage]:
    """The same by the counters of torch's caching allocator; `cuda` is torch.cuda or a stand-in."""
    return _measured(call, lambda call: _read_cuda(call, cuda), _CUDA_BLOCK)


def settle(device: str, dtype: torch.dtype) -> None:
    """Have the device's matrix library take its workspace before anything is measured."""
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
    """Bytes of the storages behind these tensors, each once, in whole blocks of the allocator."""
    storages = [
        each.untyped_storage()
        for each in made
        if isinstance(each, Tensor) and each.layout == torch.strided
    ]
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(-(-size // block) * block for size in sizes.values())


def _read_cpu(call: Callable[[], Made]) -> tuple[Made, _Reading]:
    # torch.profiler.profile around it would first import the compiler: two seconds of each check.
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
    """Measure a call of known size. Raises RuntimeError when the instrument reads anything else."""
    size = 1 << 20
    _, usage = measure(lambda: (torch.empty(size, dtype=torch.uint8).fill_(0),), "cpu")
    if usage.peak_bytes != size:
        raise RuntimeError(
            f"the memory instrument reads {usage.peak_bytes} bytes for {size}; "
            "this torch reports its allocations differently"
        )


def _reset_resident_peak() -> int | None:
    """Give freed memory back to the system, restart the peak, and read what is resident now."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR_REFS.write_text(_CLEAR_PEAK)
    except (OSError, AttributeError):
        return None  # another libc or system: the figure is not measured
    return _resident("VmRSS")


def _resident(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith(f"{field}:")), None)
