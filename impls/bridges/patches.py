"""Replaces functions of modules for a while."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

Function = Callable[..., Any]
OURS: Final = ("impls", "suites", "reports")
"""Packages that keep the original: implementations call it."""


class Patches:
    """Attributes that were replaced, with their originals."""

    def __init__(self) -> None:
        self._undo: list[tuple[ModuleType, str, Function]] = []

    def replace(self, module: ModuleType, name: str, by: Function) -> None:
        """Replace one attribute of a module."""
        self._undo.append((module, name, getattr(module, name)))
        setattr(module, name, by)

    def replace_everywhere(self, original: Function, by: Function) -> None:
        """Replace a function in every module that has it, as `from module import name` does."""
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType) or _is_ours(module):
                continue
            names = [name for name, value in vars(module).copy().items() if value is original]
            for name in names:
                self.replace(module, name, by)

    def undo(self) -> None:
        """Put every original back."""
        while self._undo:
            module, name, original = self._undo.pop()
            setattr(module, name, original)


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] in OURS
