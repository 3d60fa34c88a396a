"""What Python, numpy and the processor hold for all calculations: read, put back, told in words."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

_LIBRARY: Final = ctypes.CDLL(None)
_MODULES: Final = ("json", "math", "numpy", "os", "struct", "time", "torch")
"""Those that this program, or most others, import again while they work."""
_NAMED: Final = 3
"""Of several modules so many are named."""


def rounding() -> int:
    """How this thread rounds: 0 is to nearest, and where the C library does not say."""
    return int(_LIBRARY.fegetround()) if hasattr(_LIBRARY, "fegetround") else 0


def put_back_rounding(was: int) -> None:
    """As `rounding` read it."""
    if hasattr(_LIBRARY, "fesetround"):
        _LIBRARY.fesetround(was)


def told_rounding(was: int, now: int) -> str:
    """Whether another way was set."""
    return "" if was == now else "changed how the processor rounds"


def collecting() -> tuple[Any, ...]:
    """What is called when garbage is collected."""
    return tuple(gc.callbacks)


def put_back_collecting(was: Sequence[Any]) -> None:
    """As `collecting` read it."""
    gc.callbacks[:] = was


def told_collecting(was: Sequence[Any], now: Sequence[Any]) -> str:
    """Whether anything came or went."""
    return "" if was == now else "changed what is called when garbage is collected"


def modules() -> dict[str, Any]:
    """Those that are imported again and again."""
    return {name: sys.modules.get(name) for name in _MODULES}


def put_back_modules(was: dict[str, Any]) -> None:
    """Those that were there."""
    sys.modules.update({name: module for name, module in was.items() if module is not None})


def told_modules(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Which were taken away or replaced."""
    names = [name for name, module in was.items() if module is not None and now[name] is not module]
    return f"took {', '.join(names[:_NAMED])} out of sys.modules" if names else ""


def errors_of_numpy() -> dict[str, Any]:
    """What numpy does about overflow and the like."""
    return {**np.geterr()}


def put_back_numpy(was: dict[str, Any]) -> None:
    """As `errors_of_numpy` read it."""
    np.seterr(**was)


def told_numpy(was: dict[str, Any], now: dict[str, Any]) -> str:
    """From what to what."""
    kinds = [kind for kind in was if now[kind] != was[kind]]
    return f"changed what numpy does about {', '.join(kinds)}" if kinds else ""
