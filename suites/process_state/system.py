"""State that the operating system keeps for this process."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any, Final

from suites.process_state.watched import Watched

_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_SIGNALS: Final = tuple(each for each in signal.Signals if not each.name.startswith("SIGRT"))
_FIRST_DESCRIPTORS: Final = 256
"""Descriptors below this number are watched; those of the session are among the first ten."""


def _cpus() -> frozenset[int]:
    """The CPUs that this thread may run on; empty where the system has no affinity."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "a deleted folder"


def _timers() -> tuple[bool, ...]:
    return tuple(signal.getitimer(each)[0] > 0 for each in _TIMERS)


def _stop_timers(_: tuple[bool, ...]) -> None:
    """Stop all timers: the engine starts none."""
    for each in _TIMERS:
        signal.setitimer(each, 0)


def _describe_timers(_: tuple[bool, ...], now: tuple[bool, ...]) -> str:
    return "left a timer running that sends a signal" if any(now) else ""


def _handlers() -> dict[str, Any]:
    return {each.name: signal.getsignal(each) for each in _SIGNALS}


def _restore_handlers(before: dict[str, Any]) -> None:
    """Restore the handlers that Python can set."""
    for name, handler in before.items():
        number = signal.Signals[name]
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _descriptors() -> dict[int, tuple[int, int] | None]:
    """Device and inode behind each descriptor that was open at the first call."""
    return {each: _identity(each) for each in _open_at_first()}


@functools.cache
def _open_at_first() -> tuple[int, ...]:
    return tuple(each for each in range(_FIRST_DESCRIPTORS) if _identity(each) is not None)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _variables() -> dict[str, str]:
    """Environment variables, without those in which torch's compiler keeps addresses of its own.

    Such a variable may be inherited from a process that compiled; compiling here changes it.
    """
    own = "_TORCHINDUCTOR_"
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


WATCHED: Final = (
    Watched(
        "CPU affinity",
        _cpus,
        lambda before: os.sched_setaffinity(0, before),
        quick=True,
        put_back=True,  # OpenVINO pins the calling thread, too
    ),
    Watched("timers", _timers, _stop_timers, _describe_timers, quick=True),
    Watched("signal handlers", _handlers, _restore_handlers),
    Watched("environment variables", _variables, os.environ.update),
    Watched("the working directory", _folder, os.chdir),
    Watched("open descriptors", _descriptors),
)
