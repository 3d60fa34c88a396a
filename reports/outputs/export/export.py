"""Write a stored run in a format that other programs read."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from reports.outputs.export import formats
from suites.records.store import Run, Store

_DATABASE: Final = b"SQLite format 3"
"""The first bytes of a file of SQLite."""


def extension(format_name: str) -> str:
    """The extension of a format's file. Raises ValueError for an unknown format."""
    found: str = _module(format_name).EXTENSION
    return found


def export(store: Store, run: Run, format_name: str, path: Path) -> tuple[Path, ...]:
    """Write a stored run in a format; the files written.

    Raises ValueError for an unknown format, and for a path that cannot be written or is a database.
    """
    module = _module(format_name)
    return _written(partial(module.write, store, run), path)


def takes_groups(format_name: str) -> bool:
    """Whether a format holds the runs of a group in one file. Raises ValueError as `export`."""
    return hasattr(_module(format_name), "write_group")


def export_group(
    store: Store, runs: Sequence[Run], format_name: str, path: Path
) -> tuple[Path, ...]:
    """Write the runs RUN@KIND of a group as one file. Raises ValueError as `export`.

    format_name  of a format that `takes_groups`
    """
    return _written(partial(_module(format_name).write_group, store, runs), path)


def _written(write: Callable[[Path], tuple[Path, ...]], path: Path) -> tuple[Path, ...]:
    if not path.name:
        raise ValueError(f"--to {str(path)!r}: expected the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _expect_no_database(path)
        return write(path)
    except OSError as error:
        raise ValueError(
            f"the export cannot be written to {path}: {error.strerror or error}; name another --to"
        ) from error


def doubts(run: Run, format_name: str) -> list[str]:
    """A line for each part of a run that a format cannot hold; most formats hold all."""
    of_format: Callable[[Run], list[str]] = getattr(_module(format_name), "doubts", lambda _: [])
    return of_format(run)


def _module(format_name: str) -> ModuleType:
    every = formats.names()
    if format_name not in every:
        near = difflib.get_close_matches(format_name.lower(), every, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown format {format_name!r}; {hint}expected one of {', '.join(every)}"
        )
    return import_module(f"{formats.__name__}.as_{format_name.replace('-', '_')}")


def _expect_no_database(path: Path) -> None:
    """Raise ValueError for a file that may be a store of runs: it is not overwritten."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                raise ValueError(f"{path} is a database, of runs maybe; name another --to")
