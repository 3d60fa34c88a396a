"""Threads and processes that a call leaves behind.

A thread pool that waits for the next call is normal. A thread or process that still runs takes CPU
time from the next implementation, and a forked copy of this process holds its memory and pipes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Final

from suites.process_state.watched import Watched

POLLS, POLL_EVERY_S = 20, 0.01
"""A thread idle at any poll counts as waiting. OpenMP threads spin for about 15 ms."""
_PROC: Final = Path("/proc")


def python_threads() -> frozenset[int]:
    """Identifiers of the threads that run Python, with those started without `threading`."""
    return frozenset(sys._current_frames())  # noqa: SLF001 - the only list that has them all


def _describe_threads(before: frozenset[int], now: frozenset[int]) -> str:
    new = len(now - before)
    if not new or not _stays_busy(_others_run):
        return ""
    return f"left {new} thread{'s' if new > 1 else ''} running"


def _children() -> frozenset[int]:
    """Processes that this thread started; empty on a system without /proc."""
    try:
        text = (_PROC / "thread-self" / "children").read_text()
    except OSError:
        return frozenset()
    return frozenset(pid for pid in map(int, text.split()) if _state(_PROC / str(pid)) not in "ZX")


def _describe_children(before: frozenset[int], now: frozenset[int]) -> str:
    """A message for running processes and copies of this one; empty for others that wait."""
    new = now - before
    own = _command(_PROC / "self")
    copied = any(_command(_PROC / str(pid)) == own for pid in new)
    if not copied and not _stays_busy(lambda: any(_state(_PROC / str(p)) == "R" for p in new)):
        return ""
    return f"left {len(new)} process{'es' if len(new) > 1 else ''} behind"


def _stays_busy(busy: Callable[[], bool]) -> bool:
    """Whether all polls find it busy."""
    for _ in range(POLLS):
        if not busy():
            return False
        sleep(POLL_EVERY_S)
    return True


def _others_run() -> bool:
    """Whether another thread of this process runs or waits for a CPU."""
    tasks = _PROC / "self" / "task"
    if not tasks.exists():
        return False  # a system without /proc
    own = str(threading.get_native_id())
    return any(_state(each) == "R" for each in tasks.iterdir() if each.name != own)


def _state(folder: Path) -> str:
    """The letter for a thread's or process's state in /proc; X if it has ended."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"


def _command(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


WATCHED: Final = (
    Watched("threads", python_threads, None, _describe_threads, quick=True),
    Watched("child processes", _children, None, _describe_children),
)
