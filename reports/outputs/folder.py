"""The folder of a report, and whether it can be written, checked before anything is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

RESULTS: Final = Path("results")
"""The folder of the reports of runs, unless another one is named."""


def expect_folder(folder: Path) -> None:
    """Raise ValueError when a report's folder cannot be written. Nothing is created."""
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> ValueError:
    """The error for a folder that cannot be written."""
    return ValueError(
        f"the report cannot be written to {folder}: {error.strerror or error}; name another --out"
    )
