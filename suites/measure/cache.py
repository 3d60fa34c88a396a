"""The last-level cache: its size, and a flush that empties it.

The flush of a GPU's cache ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from suites.measure.instruments import instrument_for

TIMES: Final = 4
"""A flush streams through this many times the last-level cache. No replacement policy keeps earlier
data then, even if a virtual machine can use only a part of the cache."""
UNKNOWN_BYTES: Final = 256 << 20
"""Bytes of a flush when the size of the cache is unknown, and the least for a GPU."""
_UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30}


def last_level_bytes(root: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int | None:
    """Bytes of the first CPU's highest-level cache; None when the system does not report it.

    In a virtual machine this is the host's cache, which other machines share.
    """
    found = [size for index in root.glob("index*") if (size := _level_and_bytes(index))]
    return max(found)[1] if found else None


class Flush:
    """Empties the caches of a device when called. Do not time the flush with the next call.

    device            cpu or cuda; ValueError for others
    last_level_bytes  of this machine's CPU; None when unknown. A GPU reports its own.

    The buffer is allocated once. A call writes and then reads it: data that is only written would
    still be on its way to memory while the next call is timed. On a CPU all threads of the process
    share the work, so that each empties its own caches.
    """

    def __init__(self, device: str, last_level_bytes: int | None) -> None:
        import torch  # noqa: PLC0415 - reports read sizes without torch

        sizes = {
            "cpu": lambda: flushed_bytes(last_level_bytes),
            "cuda": lambda: max(UNKNOWN_BYTES, flushed_bytes(l2_bytes(torch.cuda))),
        }
        self.bytes = instrument_for(device, sizes)()
        self._buffer = torch.ones(self.bytes // 4, dtype=torch.float32, device=device)

    def __call__(self) -> None:
        """Write and read the buffer, and wait for the end."""
        self._buffer.fill_(1.0)
        self._buffer.sum().item()


def l2_bytes(cuda: Any) -> int:
    """Bytes of the second-level cache of the current GPU; `cuda` is torch.cuda or a stand-in."""
    return int(cuda.get_device_properties(cuda.current_device()).L2_cache_size)


def flushed_bytes(last_level_bytes: int | None) -> int:
    """Bytes to stream through a cache of this size; None is an unknown size."""
    return TIMES * last_level_bytes if last_level_bytes else UNKNOWN_BYTES


def _level_and_bytes(index: Path) -> tuple[int, int] | None:
    """Level and bytes of one entry in the system's list; None when the entry is unreadable."""
    try:
        level = (index / "level").read_text().strip()
        size = re.fullmatch(r"(\d+)([KMG]?)", (index / "size").read_text().strip())
    except OSError:
        return None
    if not level.isdecimal() or size is None:
        return None
    return int(level), int(size[1]) << _UNITS[size[2]]
