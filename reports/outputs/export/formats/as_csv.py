"""csv: the measurements, beside them the samples, and the percentiles of a run with --tail.

The files beside it are NAME-samples.csv and NAME-tails.csv.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import COLUMNS, tail_columns
from reports.outputs.export.samples import SAMPLE_COLUMNS, samples
from reports.rows.measurements import MEASUREMENT_COLUMNS, measurement_columns
from reports.views.text import printable
from suites.records.store import Run, Store

EXTENSION: Final = "csv"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the tables; texts that a spreadsheet would execute as formulas begin with a '."""
    analysis = Analysis(run, store.records(run.name))
    beside = path.with_name(f"{path.stem}-samples{path.suffix}")
    measured = map(measurement_columns, analysis.measurements)
    path.write_text(_table(measured, MEASUREMENT_COLUMNS), encoding="utf-8")
    beside.write_text(_table(samples(analysis), SAMPLE_COLUMNS), encoding="utf-8")
    if not analysis.tails:
        return path, beside
    tails = path.with_name(f"{path.stem}-tails{path.suffix}")
    tails.write_text(_table(map(tail_columns, analysis.tails), COLUMNS), encoding="utf-8")
    return path, beside, tails


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
    # Objects: as numbers, whole ones beside an empty cell would be written as floats.
    frame = pd.DataFrame(cells, columns=list(columns), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> Any:
    """Text on one line that a spreadsheet does not take for a formula."""
    if not isinstance(value, str):
        return value
    line = printable(value)
    return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) else line
