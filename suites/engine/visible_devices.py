"""Which NVIDIA device a session has: the variable CUDA_VISIBLE_DEVICES of its process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "CUDA_VISIBLE_DEVICES"


def visible(chosen: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variable that shows a process the chosen device alone; empty where none is chosen.

    chosen  an index or a UUID, as `--device cuda:1` has it. An index counts within a
            CUDA_VISIBLE_DEVICES that is set, as torch counts; CUDA_DEVICE_ORDER stays as it is.

    Raises ValueError for a device that the variable hides.
    """
    if not chosen:
        return {}
    if VARIABLE not in environ:
        return {VARIABLE: chosen}
    named = [each.strip() for each in environ[VARIABLE].split(",") if each.strip()]
    if chosen.isdecimal():
        found = named[int(chosen) : int(chosen) + 1]
    else:
        found = [each for each in named if chosen.startswith(each) or each.startswith(chosen)]
    if len(found) != 1:
        raise ValueError(
            f"--device cuda:{chosen}: {VARIABLE} is {environ[VARIABLE]!r}, which has no such "
            f"device; expected {_expected(named)}"
        )
    return {VARIABLE: found[0]}


def _expected(named: list[str]) -> str:
    if not named:
        return "a device in that variable"
    last = len(named) - 1
    return f"an index from 0 to {last}, or a UUID of that list" if last else "the index 0"
