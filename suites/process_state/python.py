"""State of the Python interpreter and of numpy."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any, Final

import numpy as np

from suites.process_state.watched import Watched, settings


def _describe_recursion_limit(before: int, now: int) -> str:
    """A higher limit harms nothing, and torch's compiler sets one."""
    return f"lowered the recursion limit from {before} to {now}" if now < before else ""


def _error_filters() -> frozenset[Any]:
    """The warning filters that raise."""
    return frozenset(each for each in warnings.filters if each[0] == "error")


def _restore_filters(before: frozenset[Any]) -> None:
    kept = [each for each in warnings.filters if each[0] != "error" or each in before]
    warnings.filters[:] = kept  # type: ignore[index] # a list at run time
    with warnings.catch_warnings():
        pass  # leaving this block clears Python's cache of filters


def _describe_filters(before: frozenset[Any], now: frozenset[Any]) -> str:
    return "turned warnings into errors" if now - before else ""


def _streams() -> dict[str, tuple[Any, bool]]:
    """Each output stream, and whether it is closed."""
    streams = {"sys.stdout": sys.stdout, "sys.stderr": sys.stderr}
    return {name: (each, getattr(each, "closed", False)) for name, each in streams.items()}


def _restore_streams(before: dict[str, tuple[Any, bool]]) -> None:
    sys.stdout, sys.stderr = (stream for stream, _ in before.values())


def _restore_path(before: dict[str, None]) -> None:
    sys.path[:] = [*before, *(each for each in sys.path if each not in before)]


WATCHED: Final = (
    settings(
        "trace and profile hooks",
        {
            "sys.settrace": (sys.gettrace, sys.settrace),
            "sys.setprofile": (sys.getprofile, sys.setprofile),
            "threading.settrace": (threading.gettrace, threading.settrace),
            "threading.setprofile": (threading.getprofile, threading.setprofile),
        },
        quick=True,
    ),
    Watched(
        "recursion limit",
        sys.getrecursionlimit,
        sys.setrecursionlimit,
        _describe_recursion_limit,
        quick=True,
    ),
    Watched("warning filters", _error_filters, _restore_filters, _describe_filters),
    Watched("output streams", _streams, _restore_streams),
    Watched("sys.path", lambda: dict.fromkeys(sys.path), _restore_path),
    Watched("numpy's error handling", np.geterr, lambda before: np.seterr(**before), quick=True),
)
