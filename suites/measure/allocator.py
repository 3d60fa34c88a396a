"""What the C library does with memory that is freed, as the environment of a session.

glibc takes what is larger than 32 MiB from the system at each call and gives it back when freed,
so every page of it faults anew: a part of the time that belongs to no implementation. `naive` on
b1 h8 t1024 d64, whose scores are 32 MiB, on two threads (glibc 2.36, medians of fresh processes):

                                                page faults per call    time
    default                                                   16,386    1
    MALLOC_MMAP_MAX_ alone                                     8,160    0.75
    MALLOC_TRIM_THRESHOLD_ alone                              17,412    1
    both, which is retain                                          0    0.45

Below 32 MiB the default hangs on what else lies in the heap: at t724 the same calls faulted 0, 410,
8,160 or 8,880 times each, in one fresh process and the next.

Other C libraries do not know these variables: there `retain` is `default`.
"""

from __future__ import annotations

import ctypes
from typing import Final

ALLOCATORS: Final = ("default", "retain")


def settings(name: str) -> dict[str, str]:
    """Variables for a session's environment, which must stand in it before it starts.

    default  none: the C library is as it is, or as the user has set it
    retain   no memory comes from outside the heap, and the heap never shrinks

    Raises ValueError for another name.
    """
    if name not in ALLOCATORS:
        raise ValueError(f"unknown allocator {name!r}; expected one of {', '.join(ALLOCATORS)}")
    if name == "default":
        return {}
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}


class _Mallinfo(ctypes.Structure):
    """What glibc tells of itself.

    hblks     how many blocks are mapped by themselves
    fordblks  bytes that lie free in its heaps
    """

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def give_back(beyond: int) -> None:
    """Have the C library return what lies free in its heaps, where that is more than so many bytes.

    It keeps blocks below 32 MiB, and where small ones live on between them the next call's do not
    fit: calls of `naive` that add 44 MiB had 0.1 GiB resident after a few. Nothing happens with a
    C library that does not tell.
    """
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallinfo2") and hasattr(library, "malloc_trim")):
        return
    library.mallinfo2.restype = _Mallinfo
    if library.mallinfo2().fordblks > beyond:
        library.malloc_trim(0)
