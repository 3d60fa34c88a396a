"""The snapshot of torch's CUDA allocator over one call: a file for pytorch.org/memory_viz.

The functions of torch have leading underscores, and the same arguments in torch 2.11 to 2.13. This
was tested with the stand-in of the tests, and has not run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

MOST_ENTRIES: Final = 100_000
"""Allocations and releases that torch keeps; each takes up to a few kB of the file."""
NATIVE: Final = "native"
"""The allocator of torch that has snapshots; cudaMallocAsync has none."""
ENDING: Final = ".memory.pickle"
"""The end of the name of the file."""


def write(call: Callable[[], object], file: Path, cuda: Any) -> bool:
    """Write the snapshot of one further call; whether torch's allocator has snapshots.

    cuda  torch.cuda, or a stand-in
    """
    if cuda.get_allocator_backend() != NATIVE:
        return False
    record = cuda.memory._record_memory_history  # noqa: SLF001 - torch has no other name for it
    record("all", stacks="python", max_entries=MOST_ENTRIES)
    try:
        made = call()
        cuda.synchronize()
        del made
        cuda.memory._dump_snapshot(str(file))  # noqa: SLF001 - likewise
    finally:
        record(None)
    return True
