"""Exceptions of a file's own code, as one line of text."""

from __future__ import annotations

import traceback
from pathlib import Path


def said_by(error: BaseException, path: Path) -> str:
    """The first line of an exception, with the line of the file that raised it."""
    return f"{first_line(error)}{_line_number(error, path)}"


def _line_number(error: BaseException, path: Path) -> str:
    """The line of the file that raised the error, in parentheses; empty for another file."""
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})" if error.filename == str(path) else ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""


def first_line(error: BaseException) -> str:
    """The first line of the error's message, even if its str() raises."""
    text = traceback.format_exception_only(type(error), error)
    text = [part for part in text if not part.startswith(" ")]  # not the source of a syntax error
    lines = [line.strip() for line in "".join(text[:1]).splitlines() if line.strip()]
    start = lines[0].removeprefix(f"{type(error).__module__}.")
    return f"{start} {lines[1]}" if start.endswith(":") and len(lines) > 1 else start
