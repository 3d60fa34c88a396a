"""When and where the system lets this process run, and with what pages: read and put back."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_SET_THP_DISABLE: Final = 41
_GET_THP_DISABLE: Final = 42
"""Numbers of prctl on Linux; Python has no names for them."""


def cpus() -> frozenset[int]:
    """Those that this thread may run on; empty where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    return frozenset(os.sched_getaffinity(0))


def put_back_cpus(was: frozenset[int]) -> None:
    """As `cpus` read them."""
    os.sched_setaffinity(0, was)


def niceness() -> int:
    """How far others go first."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def policy() -> int | None:
    """By which the system gives it its turns; None where the system does not say."""
    return os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None


def put_back_policy(was: int | None) -> None:
    """As `policy` read it."""
    if was is not None:
        os.sched_setscheduler(0, was, os.sched_param(0))


def without_huge_pages() -> int | None:
    """Whether it does without them; None where the system does not say."""
    library = ctypes.CDLL(None)
    return int(library.prctl(_GET_THP_DISABLE, 0, 0, 0, 0)) if hasattr(library, "prctl") else None


def put_back_huge_pages(was: int | None) -> None:
    """As `without_huge_pages` read it."""
    if was is not None:
        ctypes.CDLL(None).prctl(_SET_THP_DISABLE, was, 0, 0, 0)


def told_huge_pages(was: int | None, now: int | None) -> str:
    """Which way it was changed."""
    return "" if was == now else f"switched huge pages {'off' if now else 'on'} for the process"
