"""bundle-with-inputs: a bundle that also has the tensors of a run with --inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from suites.records.bundles import layout, writing
from suites.records.store import Run, Store

EXTENSION: Final = layout.EXTENSION


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write one zip file. Raises ValueError for a run with random inputs alone."""
    if not run.plan.inputs:
        raise ValueError(f"run {run.name} has no --inputs; expected --format bundle")
    writing.write(store, run, path, with_inputs=True)
    return (path,)


def doubts(run: Run) -> list[str]:
    """A line for each file that the bundle lacks."""
    return writing.doubts(run, with_inputs=True)
