"""The environment of a session that sets what the C library does with freed memory.

glibc maps every block above 32 MiB anew and unmaps it when it is freed, so all its pages fault in
every call. That time belongs to no implementation. `naive` on b1 h8 t1024 d64, whose scores take
32 MiB, on two threads (glibc 2.36, medians of fresh processes):

                                                page faults per call    time
    default                                                   16,386    1
    MALLOC_MMAP_MAX_ alone                                     8,160    0.75
    MALLOC_TRIM_THRESHOLD_ alone                              17,412    1
    both, which is retain                                          0    0.45

Below 32 MiB the default depends on the other blocks in the heap: at t724 the same calls faulted
0, 410, 8,160 or 8,880 times each, in different fresh processes.

Other C libraries ignore these variables, so `retain` equals `default` there.
"""

from __future__ import annotations

import ctypes
from typing import Final

ALLOCATORS: Final = ("default", "retain")


def settings(name: str) -> dict[str, str]:
    """Environment variables, which must be set before a session's process starts.

    default  none: the C library's own settings, or those of the user
    retain   all blocks come from the heap, and the heap never shrinks

    Raises ValueError for another name.
    """
    if name not in ALLOCATORS:
        raise ValueError(f"unknown allocator {name!r}; expected one of {', '.join(ALLOCATORS)}")
    if name == "default":
        return {}
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}


class _Mallinfo(ctypes.Structure):
    """glibc's counters; `fordblks` is the number of free bytes in its heaps."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def give_back(beyond: int) -> None:
    """Return the heaps' free memory to the system if it exceeds `beyond` bytes. glibc only.

    glibc keeps freed blocks below 32 MiB. Small live blocks between them fragment the heap, so the
    next call adds new memory: a few calls of `naive` that add 44 MiB each left 0.1 GiB resident.
    """
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallinfo2") and hasattr(library, "malloc_trim")):
        return
    library.mallinfo2.restype = _Mallinfo
    if library.mallinfo2().fordblks > beyond:
        library.malloc_trim(0)
