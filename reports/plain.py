"""A run as plain data, for other programs: `--json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reports.compare import Comparison
from reports.tables import measurements, not_measured, outcomes, rows_of
from suites.records.record import Record
from suites.records.store import Run


def as_data(run: Run, records: Iterable[Record]) -> dict[str, Any]:
    """The run, its machine, measurements and outcomes; JSON can hold it, None is "not measured"."""
    records = list(records)
    return {
        "run": run.name,
        "suite": run.plan.suite,
        "command": run.command,
        "started": run.started,
        "ended": run.ended,
        "sessions": run.plan.sessions,
        "machine": _plain(run.machine),
        "measurements": _rows(measurements(run, records)),
        "outcomes": _rows(outcomes(run, records)),
        "not_measured": _rows(not_measured(run, records)),
    }


def compared(comparison: Comparison) -> dict[str, Any]:
    """A comparison: its rows, what has to be known of them, and what differs between machines."""
    return {
        "base": comparison.base,
        "new": comparison.new,
        "rows": _rows(comparison.table),
        "sentences": list(comparison.sentences),
        "differences": list(comparison.differences),
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [_plain(row) for row in rows_of(frame)]


def _plain(value: Any) -> Any:
    """Numbers of numpy become Python's; what JSON cannot hold, infinities, becomes words."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
