"""bundle: a run with its records, machine, plan and implementations' files, to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from suites.records.bundles import layout, writing
from suites.records.store import Run, Store

EXTENSION: Final = layout.EXTENSION


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write one zip file, whose layout suites/records/bundles/layout.py describes."""
    writing.write(store, run, path)
    return (path,)


def doubts(run: Run) -> list[str]:
    """A line for each file of an implementation that the bundle lacks."""
    return writing.doubts(run)
