"""dispatch: the fastest implementation for each problem, for programs that choose one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from reports.analysis.ranking.dispatch import dispatch
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import plain
from suites.records.store import Run, Store

EXTENSION: Final = "json"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the table that `Dispatch.read` reads."""
    data = plain(dispatch(Analysis(run, store.records(run.name))))
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return (path,)
