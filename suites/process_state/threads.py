"""Threads and processes that a call has started and left: those that wait are no harm.

A pool that is kept for the next call is normal. One that goes on working takes a CPU from whoever
is measured next, and a forked copy of the process holds whatever the process holds.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Final

LOOKS, LOOK_EVERY_S = 20, 0.01
"""Whoever rests at one of so many looks is not at work: OpenMP's threads spin for some 15 ms."""
WAITING_AT_MOST: Final = 64
"""Threads that wait; a pool is smaller, a thread for each call is more sooner or later."""
_PROC: Final = Path("/proc")


def threads() -> frozenset[int]:
    """The threads that run Python."""
    return frozenset(sys._current_frames())  # noqa: SLF001 - started past `threading`, too


def told_threads(was: frozenset[int], now: frozenset[int]) -> str:
    """What is left of threads, in words; empty for those that wait."""
    new = len(now - was)
    if new > WAITING_AT_MOST:
        return f"left {new} threads behind"
    if not new or not _works_on(_others_running):
        return ""
    return f"left {new} thread{'s' if new > 1 else ''} running"


def children() -> frozenset[int]:
    """Processes that this thread started and that go on; none where the system does not tell."""
    try:
        text = (_PROC / "thread-self" / "children").read_text()
    except OSError:
        return frozenset()
    return frozenset(pid for pid in map(int, text.split()) if _state(_PROC / str(pid)) not in "ZX")


def told_children(was: frozenset[int], now: frozenset[int]) -> str:
    """What is left of processes, in words; empty for other programs that wait."""
    new = now - was
    ours = _command(_PROC / "self")
    copies = [pid for pid in new if _command(_PROC / str(pid)) == ours]
    if not copies and not _works_on(lambda: any(_state(_PROC / str(p)) == "R" for p in new)):
        return ""
    return f"left {len(new)} process{'es' if len(new) > 1 else ''} behind"


def _works_on(works: Callable[[], bool]) -> bool:
    """Whether it works at every one of some looks."""
    for _ in range(LOOKS):
        if not works():
            return False
        sleep(LOOK_EVERY_S)
    return True


def _others_running() -> bool:
    """Whether any thread of this process but this one runs, or waits for a CPU only."""
    tasks = _PROC / "self" / "task"
    if not tasks.exists():
        return False  # this system does not tell
    own = str(threading.get_native_id())
    return any(_state(each) == "R" for each in tasks.iterdir() if each.name != own)


def _state(folder: Path) -> str:
    """One letter, as the system has it; X for one that is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""
