"""csv: measurements and samples; percentiles, ranks, errors on own inputs, steps and models.

The files beside it are NAME-samples.csv, NAME-tails.csv, NAME-ranks.csv, NAME-own-inputs.csv,
NAME-steps.csv, NAME-cases.csv, NAME-in-models.csv and NAME-layers.csv; each exists where it has
rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from reports.analysis.in_models import COLUMNS as IN_MODELS
from reports.analysis.in_models import LAYER_COLUMNS, in_model_columns, in_models, layers
from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import COLUMNS, tail_columns
from reports.outputs.export.samples import SAMPLE_COLUMNS, samples
from reports.outputs.export.steps_data import CASE_COLUMNS, SUM_COLUMNS, case_rows, sum_rows
from reports.rows.columns import columns
from reports.rows.measurements import measured_columns, measurement_head
from reports.rows.own_inputs import COLUMNS as OWN_COLUMNS
from reports.rows.own_inputs import own_inputs
from reports.rows.ranks import COLUMNS as RANK_COLUMNS
from reports.rows.ranks import ranks
from reports.views.text import printable
from suites.records.store import Run, Store

EXTENSION: Final = "csv"


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the tables; texts that a spreadsheet would execute as formulas begin with a '."""
    analysis = Analysis(run, store.records(run.name))
    beside = path.with_name(f"{path.stem}-samples{path.suffix}")
    measured = measured_columns(run.plan, analysis.measurements)
    path.write_text(_table(measured, measurement_head(run.plan)), encoding="utf-8")
    beside.write_text(_table(samples(analysis), SAMPLE_COLUMNS), encoding="utf-8")
    further = {
        "tails": _table(map(tail_columns, analysis.tails), COLUMNS) if analysis.tails else "",
        "ranks": _some(map(columns, ranks(analysis.run, analysis.records)), RANK_COLUMNS),
        "own-inputs": _own_inputs(analysis),
        "steps": _table(sum_rows(analysis), SUM_COLUMNS) if analysis.steps else "",
        "cases": _table(case_rows(analysis), CASE_COLUMNS) if analysis.steps else "",
        "in-models": _some(map(in_model_columns, in_models(analysis)), IN_MODELS),
        "layers": _some(map(columns, layers(analysis)), LAYER_COLUMNS),
    }
    files = {path.with_name(f"{path.stem}-{name}{path.suffix}"): further[name] for name in further}
    for file, text in files.items():
        if text:
            file.write_text(text, encoding="utf-8")
    return path, beside, *(file for file, text in files.items() if text)


def _own_inputs(analysis: Analysis) -> str:
    """The errors on the user's own inputs; empty for a run with random inputs alone."""
    rows = own_inputs(analysis.run, analysis.records)
    return _table(map(columns, rows), OWN_COLUMNS) if rows else ""


def _some(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """A table of these rows; empty without a row."""
    found = list(rows)
    return _table(found, names) if found else ""


def _table(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
    # Objects: as numbers, whole ones beside an empty cell would be written as floats.
    frame = pd.DataFrame(cells, columns=list(names), dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> Any:
    """Text on one line that a spreadsheet does not take for a formula."""
    if not isinstance(value, str):
        return value
    line = printable(value)
    return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) else line
