"""The last-level cache: how large it is, and how to have nothing of use left in it.

Emptying a GPU's cache has been tested on stand-in properties only; it never ran on a GPU.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

TIMES: Final = 4
"""A flush streams through so many times the last-level cache: no replacement rule keeps what was
there before, and what of it the system lets this machine use need not be known."""
UNKNOWN_BYTES: Final = 256 << 20
"""A flush streams through this much where the cache's size is not told, and at least this much on a
GPU."""
_UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30}


def last_level_bytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int | None:
    """Size of the first CPU's cache of the highest level; None where the system does not tell.

    In a virtual machine it is the host's, which others may be using too.
    """
    found = [size for index in root.glob("index*") if (size := _level_and_bytes(index))]
    return max(found)[1] if found else None


class Flush:
    """Empties the caches when called; not to be timed with what comes after it.

    device            cpu or cuda
    last_level_bytes  of this machine's CPU, None when unknown; a GPU tells its own

    What a call streams through is made once. It is written, then read: what is only written would
    still be on its way to memory while the next call is timed. On a CPU the threads of the process
    share the work, so that each empties the caches next to it.
    """

    def __init__(self, device: str, last_level_bytes: int | None) -> None:
        import torch  # noqa: PLC0415 - pages ask for sizes without torch

        self.bytes = flushed_bytes(last_level_bytes)
        if device == "cuda":
            properties = torch.cuda.get_device_properties(0)
            self.bytes = max(UNKNOWN_BYTES, flushed_bytes(properties.L2_cache_size))
        self._buffer = torch.ones(self.bytes // 4, dtype=torch.float32, device=device)

    def __call__(self) -> None:
        """Write all of it, read all of it, and wait until that is done."""
        self._buffer.fill_(1.0)
        self._buffer.sum().item()


def flushed_bytes(last_level_bytes: int | None) -> int:
    """How much to stream through a cache of this size; None is an unknown one."""
    return TIMES * last_level_bytes if last_level_bytes else UNKNOWN_BYTES


def _level_and_bytes(index: Path) -> tuple[int, int] | None:
    """What one entry of the system's list says; None where it says nothing of use."""
    try:
        level = (index / "level").read_text().strip()
        size = re.fullmatch(r"(\d+)([KMG]?)", (index / "size").read_text().strip())
    except OSError:
        return None
    if not level.isdecimal() or size is None:
        return None
    return int(level), int(size[1]) << _UNITS[size[2]]
