"""Waits until the other threads of this process sleep: another process is measured next.

OpenMP's threads spin after a parallel region, on CPUs that the other process needs: GNU's for
7.4 ms after each call, as measured on two cores of an EPYC.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

LONGEST_S: Final = 0.05
"""A thread that spins longer than this does not stop by itself."""
LOOK_EVERY_S: Final = 0.0005
HANDOVER_MS: Final = 8.0
"""The usual time of this wait, ms, for the plan of rounds."""
_TASKS: Final = Path("/proc/self/task")


def rest() -> bool:
    """Wait until no other thread of this process runs; False when one still does after 50 ms."""
    until_s = time.monotonic() + LONGEST_S
    while _others_run():
        if time.monotonic() > until_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def _others_run() -> bool:
    """Whether another thread runs, or waits for a CPU; False where the system has no list."""
    own = str(threading.get_native_id())
    if not _TASKS.exists():
        return False
    return any(_runs(each) for each in _TASKS.iterdir() if each.name != own)


def _runs(task: Path) -> bool:
    try:
        stat = Path(task, "stat").read_text()
    except OSError:
        return False  # the thread has ended
    return stat[stat.rindex(")") + 2] == "R"
