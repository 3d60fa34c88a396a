"""Limits around calls of an implementation: on memory, on preparing; no garbage collection."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suites.engine.pipe import Sender
from suites.engine.protocol import Prepares


@contextmanager
def limited_memory(limit: int, device: str) -> Iterator[None]:
    """Within this, allocating more than `limit` further bytes raises. On a CPU and Linux only.

    A soft RLIMIT_DATA above what the process holds now: it counts private memory, not address
    space, and can be lifted again.
    """
    statm = Path("/proc/self/statm")
    if device != "cpu" or not statm.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    held = int(statm.read_text().split()[5]) * resource.getpagesize()
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
