"""The place of a call: the lines of the model and of the script that led to it."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Final

SKIPPED, LIBRARY, SCRIPT = range(3)
_OURS: Final = str(Path(__file__).parent) + os.sep
_STANDARD: Final = str(Path(sysconfig.get_path("stdlib"))) + os.sep
_DISPATCH: Final = ("transformers/integrations/", "transformers/modeling_flash_attention_utils")
"""Modules of transformers that hand a call on to a kernel."""


def place() -> str:
    """The innermost line outside torch, and the innermost of the script: "a.py:3 f < b.py:9 g".

    A single line where they are the same, as for a model that the script itself defines.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the quick way to the caller
    inner = ""
    while frame is not None:
        kind, name = _kind(frame.f_code.co_filename)
        if kind != SKIPPED and (kind == SCRIPT or not inner):
            line = f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
            if kind == SCRIPT:
                return f"{inner} < {line}" if inner else line
            inner = line
        frame = frame.f_back
    return inner


@lru_cache(maxsize=4096)
def _kind(path: str) -> tuple[int, str]:
    """The kind of this file, and its name as shown."""
    if path.startswith((_OURS, "<frozen ")):
        return SKIPPED, ""
    for folder in ("site-packages", "dist-packages"):
        if f"{os.sep}{folder}{os.sep}" in path:
            name = path.rpartition(f"{os.sep}{folder}{os.sep}")[2]
            skipped = name.startswith(("torch/", *_DISPATCH))
            return (SKIPPED if skipped else LIBRARY), name
    if path.startswith(_STANDARD):
        return SKIPPED, ""
    return SCRIPT, _short(path)


def _short(path: str) -> str:
    here = str(Path.cwd()) + os.sep
    return path.removeprefix(here)
