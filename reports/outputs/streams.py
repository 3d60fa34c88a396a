"""Standard input, output and error: usable where they are closed, with a plain error when full."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Final

CLOSED: Final = "Bad file descriptor"
"""What the system says of a closed stream."""


class OutputError(ValueError):
    """Standard output cannot be written; the message has the reason."""


class Output(io.FileIO):
    """Standard output as a file. Raises OutputError where it cannot be written.

    A closed pipe keeps its own error: the reader has all it wants.
    """

    def write(self, data: Any) -> int:
        """Write bytes and return how many were written."""
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            why = "it is closed" if error.strerror == CLOSED else error.strerror
            raise OutputError(f"standard output cannot be written: {why}") from error


def open_streams() -> None:
    """Open closed streams, so that no other file gets their numbers, and check what is written.

    A closed input has no data, a closed error stream drops it, a closed output is an error when
    something is written. Letters that the locale lacks are escaped.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest free number
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - open until the process ends
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _checked()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Drop what is still to be written to standard output, so that no later error hides the first.

    Python writes the rest of its buffers when it ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _checked() -> io.TextIOWrapper:
    """Standard output as text, written through `Output`."""
    old = sys.stdout
    return io.TextIOWrapper(
        io.BufferedWriter(Output(1, "w", closefd=False)),
        encoding=old.encoding if old else None,
        line_buffering=bool(old and old.isatty()),
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
