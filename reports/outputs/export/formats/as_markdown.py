"""markdown: a short table for a pull request, below the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.outputs.markdown.run import of_run
from suites.records.store import Run, Store

EXTENSION: Final = "md"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the run as GitHub shows it."""
    path.write_text(of_run(Analysis(run, store.records(run.name))), encoding="utf-8")
    return (path,)
