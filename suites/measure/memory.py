"""Peak memory of a call above its inputs, in bytes: exact on a CPU and on an NVIDIA device.

On a CPU torch's profiler reports every allocation and release of torch's allocator, including
workspaces of C++ kernels. The running sum from zero repeats to the byte. It does not include numpy,
internal buffers of MKL, or other Python threads. The events of allocations are read here only,
through a private attribute of the profiler; `self_check` verifies their meaning on a call of known
size. The same profile holds the kernels of the call.

On a GPU `requested_bytes` of torch's caching allocator are read: the sizes before they are rounded
to blocks. A block may be 1 MiB larger (`should_split` in c10/cuda/CUDACachingAllocator.cpp). The
allocator cudaMallocAsync counts no requested bytes, so that an output is reported as not seen. The
CUDA path ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md), without cudaMallocAsync.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch._C._autograd import DeviceType
from torch.autograd.profiler import profile

from suites.measure import kernels
from suites.measure.instruments import instrument_for
from suites.records.kernels import Kernel

_CLEAR_PEAK = "5"
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_SQUARE: Final = 64
"""Rows of the matrix products that make torch allocate its workspaces."""

OUTPUT_UNSEEN: Final = "the output alone is larger than the memory that torch's allocator saw"

Made = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory of a call above its inputs.

    peak_bytes      peak of requested bytes: output, workspace and kept tensors; None: not seen
    kept_bytes      tensors that preparing and the first call keep for later calls: masks, weights,
                    caches; None: not seen
    resident_bytes  growth of the process's resident memory; None when it cannot be read
    unseen          why requested bytes are not known; empty when they are
    kernels         of the call, on a CPU: a first call holds set-up, too
    """

    peak_bytes: int | None
    kept_bytes: int | None
    resident_bytes: int | None = None
    unseen: str = ""
    kernels: tuple[Kernel, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """Bytes of one call: peak, held at the end, and growth of resident memory; its kernels."""

    peak: int
    held: int
    resident: int | None = None
    kernels: tuple[Kernel, ...] = ()


Reader = Callable[[Callable[[], Made]], tuple[Made, _Reading]]
"""Reads the memory of a call."""


def measure(
    call: Callable[[], Made], device: str, held: Sequence[Tensor] = (), prepared: int = 0
) -> tuple[Made, Usage]:
    """The output of a call, and its memory.

    held      the inputs: an output that is a view of them needs no memory of its own
    prepared  bytes that preparing keeps, which count

    When the first call keeps tensors, a second one follows: kept tensors count, the temporary
    memory of making them does not. Raises ValueError for a device without a memory counter.
    """
    made, usage = _measured(call, _reader(device), held)
    if usage.peak_bytes is None or usage.kept_bytes is None or not prepared:
        return made, usage
    peak, kept = usage.peak_bytes + prepared, usage.kept_bytes + prepared
    return made, replace(usage, peak_bytes=peak, kept_bytes=kept)


def peak_of_one_call(call: Callable[[], Made], device: str) -> int:
    """Requested bytes of exactly one call at their peak, for the ranks of a group.

    A second call on one rank alone would wait for the others for ever.
    """
    return _reader(device)(call)[1].peak


def kept_by(prepare: Callable[[], object], device: str) -> int:
    """Bytes that preparing keeps, such as block masks."""

    def call() -> Made:
        prepare()
        return ()

    return max(0, _reader(device)(call)[1].held)


def measure_cuda(call: Callable[[], Made], cuda: Any) -> tuple[Made, Usage]:
    """`measure` by the counters of torch's CUDA allocator; `cuda` is torch.cuda or a stand-in."""
    return _measured(call, lambda call: _read_cuda(call, cuda), ())


def _reader(device: str) -> Reader:
    """Reads the memory of a call on a device. Raises ValueError for one without a counter."""
    table: dict[str, Reader] = {
        "cpu": _read_cpu,
        "cuda": lambda call: _read_cuda(call, torch.cuda),
    }
    return instrument_for(device, table)


def settle(device: str, dtype: torch.dtype) -> None:
    """Make torch allocate the workspaces of cuBLAS and cuBLASLt before memory is measured.

    A workspace of 32 MiB belongs to a handle and a stream, and each thread has a handle of its own
    (aten/src/ATen/cuda/CublasHandlePool.cpp): the products run on this thread and on autograd's.
    Call it before each implementation: torch's CUDA graph trees free all workspaces.
    """
    if device == "cuda":
        square = torch.ones(_SQUARE, _SQUARE, device=device, dtype=dtype, requires_grad=True)
        # For a gradient that is passed torch imports sympy: three seconds of each process.
        out = _Products.apply(square).sum()  # type: ignore[no-untyped-call] # torch's
        torch.autograd.grad(out, square)
        torch.cuda.synchronize()


class _Products(torch.autograd.Function):
    """Matrix products in the forward pass, and the same in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        """The products on the calling thread."""
        return _products(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        """The products on autograd's thread; the gradient of a sum is one number, expanded."""
        return _products(grad.contiguous())


def _products(x: Tensor) -> Tensor:
    """Products of cuBLAS, plain and batched, and one of cuBLASLt: a bias vector selects it."""
    return torch.addmm(x[0], x, x) + x @ x + (x[None] @ x[None])[0]


def _measured(
    call: Callable[[], Made], read: Reader, inputs: Sequence[Tensor]
) -> tuple[Made, Usage]:
    made, first = read(call)
    new = _held_by(made, inputs)
    kept = max(0, first.held - new)
    if first.peak < new:
        return made, Usage(None, None, first.resident, OUTPUT_UNSEEN, first.kernels)
    if not kept:
        return made, Usage(first.peak, 0, first.resident, kernels=first.kernels)
    del made
    made, again = read(call)
    return made, Usage(kept + again.peak, kept, first.resident, kernels=again.kernels)


def _held_by(made: Made, inputs: Sequence[Tensor]) -> int:
    """Bytes of the storages of these tensors, each counted once, without those of the inputs."""
    sizes = {each.data_ptr(): each.nbytes() for each in _storages(made)}
    for each in _storages(inputs):
        sizes.pop(each.data_ptr(), None)
    return sum(sizes.values())


def _storages(tensors: Sequence[Tensor]) -> list[torch.UntypedStorage]:
    return [
        each.untyped_storage()
        for each in tensors
        if isinstance(each, Tensor) and each.layout == torch.strided
    ]


def _read_cpu(call: Callable[[], Made]) -> tuple[Made, _Reading]:
    gc.collect()  # garbage that is freed within the call would lower the reading
    # torch.profiler.profile would import the compiler: two seconds of each check.
    with profile(profile_memory=True, use_kineto=True, record_shapes=True) as p:
        before = _reset_resident_peak()
        made = call()
        after = _resident("VmHWM")
    running = peak = 0
    events = p.kineto_results.events()
    for event in events:
        if event.name() == "[memory]" and event.device_type() == DeviceType.CPU:
            running += event.nbytes()
            peak = max(peak, running)
    known = before is not None and after is not None
    resident = max(0, (after or 0) - (before or 0)) if known else None
    return made, _Reading(peak, running, resident, kernels.of(events))


def _read_cuda(call: Callable[[], Made], cuda: Any) -> tuple[Made, _Reading]:
    def requested(moment: str) -> int:
        return int(cuda.memory_stats()[f"requested_bytes.all.{moment}"])

    gc.collect()  # as on a CPU
    cuda.synchronize()
    cuda.reset_peak_memory_stats()
    base = requested("current")
    made = call()
    cuda.synchronize()
    return made, _Reading(requested("peak") - base, requested("current") - base)


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
