"""The identity of a function as text: its name, its file, and digits where these are not enough."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).resolve().parents[1]


def identity_of(function: Callable[..., Any]) -> str:
    """`dense_linear (linear.py)`: a different text for every function.

    Six hexadecimal digits follow where name and file name do not identify the function. They hash
    the path of a file outside impls/, and code and closure of a function that its module does not
    hold under its name.
    """
    name, module = function.__name__, sys.modules.get(function.__module__ or "")
    file = Path(getattr(module, "__file__", None) or f"{function.__module__}").resolve()
    details: list[Any] = [] if file.parent == _FOLDER else [str(file)]
    if getattr(module, name, None) is not function:
        details += _code_of(function)
    digits = f" {sha256(repr(details).encode()).hexdigest()[:6]}" if details else ""
    return f"{name} ({file.name}{digits})"


def _code_of(function: Callable[..., Any]) -> list[Any]:
    """What distinguishes functions of one name in one file: place, defaults, closed-over values."""
    plain = inspect.unwrap(function)
    if not inspect.isfunction(plain):
        return [repr(plain)]
    cells = [cell.cell_contents for cell in plain.__closure__ or ()]
    return [*plain.__code__.co_positions(), plain.__defaults__, plain.__kwdefaults__, *cells]
