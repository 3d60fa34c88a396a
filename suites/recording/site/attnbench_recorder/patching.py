"""Replacing functions of modules, in a way that can be undone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from .recorder import Recorder


def replace(recorder: Recorder, owner: Any, name: str, new: Callable[..., Any]) -> None:
    """Set a function of a module or class; also where modules have imported it by its name."""
    old = vars(owner).get(name, new)
    _set(recorder, owner, name, new)
    for module in list(sys.modules.values()):
        for other, value in list(getattr(module, "__dict__", {}).items()):
            if value is old and old is not new:
                _set(recorder, module, other, new)


def _set(recorder: Recorder, owner: Any, name: str, new: Any) -> None:
    if name in vars(owner):
        recorder.undo.append(partial(setattr, owner, name, vars(owner)[name]))
    else:
        recorder.undo.append(partial(delattr, owner, name))
    setattr(owner, name, new)


def let_script(torch: ModuleType, function: Any, operator: str) -> None:
    """Let TorchScript compile the patched function to the operator of the original."""
    torch.jit._builtins._register_builtin(function, operator)  # noqa: SLF001 - torch has no other way
