"""Limits around calls of an implementation: on memory, on preparing; no garbage collection."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from suites.engine.messages import Prepares
from suites.engine.pipe import Sender

STATM: Final = Path("/proc/self/statm")


@contextmanager
def limited_memory(limit: int, device: str) -> Iterator[None]:
    """Within this, allocating more than `limit` further bytes raises: on a GPU, and on Linux."""
    if device == "cuda":
        with _limited_on_gpu(limit):
            yield
    elif STATM.exists():
        with _limited_data(limit):
            yield
    else:
        yield


@contextmanager
def _limited_on_gpu(limit: int) -> Iterator[None]:
    """Limit what torch's caching allocator may reserve; other libraries are not limited.

    At the limit it first releases its cached blocks, so that what is in use now counts, not what is
    reserved (`alloc_block`, `release_cached_blocks` in c10/cuda/CUDACachingAllocator.cpp).
    """
    cuda = torch.cuda
    allowed = cuda.memory_allocated() + limit
    whole = cuda.get_device_properties(cuda.current_device()).total_memory
    cuda.set_per_process_memory_fraction(min(1.0, allowed / whole))
    try:
        yield
    except torch.OutOfMemoryError as error:
        error.add_note(f"one call may add {limit / 2**30:.2f} GiB: --memory-limit")
        raise
    finally:
        if not isinstance(sys.exception(), torch.AcceleratorError):  # it would be raised again
            cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def _limited_data(limit: int) -> Iterator[None]:
    """A soft RLIMIT_DATA above what the process holds now.

    It counts private memory, not address space, and can be lifted again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    held = int(STATM.read_text().split()[5]) * resource.getpagesize()
    raised = held + limit if hard == resource.RLIM_INFINITY else min(held + limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (raised, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def preparing(sender: Sender) -> Iterator[None]:
    """Within this, the implementation at work prepares: another time limit applies."""
    sender.send(Prepares(begins=True))
    try:
        yield
    finally:
        sender.send(Prepares(begins=False))


@contextmanager
def quiet(*, collected: bool = True) -> Iterator[None]:
    """No garbage collection within samples.

    collected  collect garbage first; too slow to be worth it before an untimed sample
    """
    if collected:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
