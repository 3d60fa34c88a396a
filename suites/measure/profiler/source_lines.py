"""Source lines among the profiler's events: an annotation at every line that is executed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import torch
from torch._C._profiler import _RecordFunctionFast

from suites.measure.profiler.events import ANNOTATION

MARK: Final = f"{ANNOTATION}line "
"""The start of the name of such an annotation; the number of its stack follows."""

_ROOT: Final = Path(__file__).resolve().parents[3]
_SKIPPED: Final = tuple(
    str(folder)
    for folder in (
        Path(torch.__file__).parent,
        sysconfig.get_path("stdlib"),
        _ROOT / "suites",
        _ROOT / "impls" / "interface",
    )
)
"""Folders whose lines are not the implementation's: torch's, Python's and this program's own."""
_PACKAGES: Final = sysconfig.get_path("purelib")

Stack = tuple[str, ...]
"""Lines from the outermost to the innermost, each as `file:line function`."""


@dataclass(slots=True)
class Lines:
    """The stacks of lines that were executed, by their numbers."""

    stacks: list[Stack] = field(default_factory=list)
    _numbers: dict[Stack, int] = field(default_factory=dict)

    def of(self, name: str) -> Stack | None:
        """The stack that an annotation stands for; None for another annotation."""
        return self.stacks[int(name.removeprefix(MARK))] if name.startswith(MARK) else None

    def number(self, stack: Stack) -> int:
        """The number of a stack."""
        if stack not in self._numbers:
            self._numbers[stack] = len(self.stacks)
            self.stacks.append(stack)
        return self._numbers[stack]


class Frames:
    """Frames of Python as stacks of lines."""

    def is_traced(self, code: CodeType) -> bool:
        """Whether the lines of a function are annotated."""
        return is_own(code.co_filename)

    def stack_of(self, frame: FrameType | None) -> Stack:
        """The lines of a frame and of those that called it, without skipped folders."""
        return stack_of(frame)


CALL: Final = Frames()
"""The frames of a call."""


@contextmanager
def annotated(lines: Lines, frames: Frames = CALL) -> Iterator[None]:
    """Within this, every line that is executed is annotated, except those of skipped folders."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - sys.settrace
        at = frame if event == "line" else frame.f_back
        if event in ("line", "return") and at is not None:
            with _RecordFunctionFast(f"{MARK}{lines.number(frames.stack_of(at))}"):
                pass
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - sys.settrace
        return local if frames.is_traced(frame.f_code) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def stack_of(frame: FrameType | None) -> Stack:
    """The lines of a frame and of those that called it, without skipped folders."""
    lines = []
    while frame is not None:
        if line := line_of(frame):
            lines.append(line)
        frame = frame.f_back
    return tuple(reversed(lines))


def line_of(frame: FrameType, *, qualified: bool = False) -> str:
    """The line of a frame as `file:line function`; empty for one of a skipped folder.

    qualified  whether the function has the name of its class before it
    """
    code = frame.f_code
    name = code.co_qualname if qualified else code.co_name
    return _line(code.co_filename, frame.f_lineno, name)


@cache
def _line(file: str, number: int, name: str) -> str:
    """As `file:line function`; empty for one of a skipped folder."""
    return f"{shown(file)}:{number} {name}" if is_own(file) else ""


def is_own(file: str) -> bool:
    """Whether lines of a file belong to an implementation or to a library that it uses."""
    if file.startswith(("<", _generated())):
        return False
    return (file.startswith(_PACKAGES) and not file.startswith(_SKIPPED[0])) or not file.startswith(
        _SKIPPED
    )


def _generated() -> str:
    """The folder of code that torch.compile generates; of sessions, one of the run."""
    return os.environ.get("TORCHINDUCTOR_CACHE_DIR", "<")


def shown(file: str) -> str:
    """A file's path as it is shown: from this program's or the working folder, or the package."""
    for folder in (_PACKAGES, str(_ROOT), str(Path.cwd())):
        if file.startswith(f"{folder}/"):
            return file.removeprefix(f"{folder}/")
    return file
