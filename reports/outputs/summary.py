"""The file of --summary: markdown is appended to it, as steps of continuous integration expect."""

from __future__ import annotations

import tempfile
from pathlib import Path


def expect_file(path: Path | None) -> None:
    """Raise ValueError for a file that cannot be written; it is neither made nor changed."""
    if path is None:
        return
    try:
        if path.exists():
            with path.open("a", encoding="utf-8"):
                return
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def append(path: Path | None, markdown: str) -> None:
    """Append markdown to the file, apart from what it holds; nothing without a file."""
    if path is None:
        return
    try:
        apart = "\n" if path.is_file() and path.stat().st_size else ""
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{apart}{markdown}")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"the summary cannot be written to {path}: {error.strerror or error}; "
        "name another --summary in a folder that exists"
    )
