"""json: what `--json` prints, the samples, and the run's profiles where it has some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.outputs.export import json_data
from reports.outputs.export.samples import samples
from suites.records.codec import to_data
from suites.records.store import Run, Store

EXTENSION: Final = "json"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the run as one document."""
    analysis = Analysis(run, store.records(run.name))
    data = {**json_data.of_run(analysis), "samples": json_data.plain(samples(analysis))}
    if profiles := store.profiles(run.name):
        data["profiles"] = list(map(to_data, profiles))
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return (path,)
