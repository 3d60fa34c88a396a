"""dispatch: the fastest implementation for each problem, for programs that choose one.

Of a run over several kinds of machine it is one file, with a section for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reports.analysis.machines import kinds
from reports.analysis.ranking.dispatch import dispatch
from reports.analysis.ranking.dispatch_group import dispatch_group
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import plain
from suites.records.groups import group_of
from suites.records.store import Run, Store

EXTENSION: Final = "json"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the table that `Dispatch.read` reads."""
    return _written(dispatch(Analysis(run, store.records(run.name))), path)


def write_group(store: Store, runs: Sequence[Run], path: Path) -> tuple[Path, ...]:
    """Write the table of the runs RUN@KIND of a group, with a section for each."""
    found = kinds((run, store.records(run.name)) for run in runs)
    return _written(dispatch_group(group_of(runs[0].name), found), path)


def _written(data: dict[str, Any], path: Path) -> tuple[Path, ...]:
    text = json.dumps(plain(data), indent=1, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
    return (path,)
