"""A run as plain data, for other programs: `--json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from reports.compare import Comparison
from reports.sessions import median_ceilings, share_inside_calls
from reports.tables import measurements, not_measured, outcomes, rows_of
from reports.verdicts import verdicts
from suites.measure import ceilings
from suites.records.record import Record
from suites.records.store import Run

SETTINGS: Final = ("baseline", "delta", "precision", "cache", "allocator", "threads", "seed")
"""Fields of the plan that say how its figures were obtained."""


def as_data(run: Run, records: Iterable[Record]) -> dict[str, Any]:
    """The run, its settings and machine, and its tables; JSON can hold it, None is "not measured".

    share_inside_calls  the part of the run's wall time spent inside calls of implementations
    ceilings            what the machine reached at best, medians over the sessions
    """
    records = list(records)
    return {
        "run": run.name,
        "suite": run.plan.suite,
        "command": run.command,
        "started": run.started,
        "ended": run.ended,
        "sessions": run.plan.sessions,
        "settings": {name: plain(getattr(run.plan, name)) for name in SETTINGS},
        "share_inside_calls": share_inside_calls(run, records),
        "machine": plain(run.machine),
        "ceilings": ceilings.to_json(median_ceilings(run)),
        "measurements": _rows(measurements(run, records)),
        "verdicts": _rows(verdicts(run, records)),
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
    return [plain(row) for row in rows_of(frame)]


def plain(value: Any) -> Any:
    """Data that JSON can hold: Python's own numbers, an infinity as a word, NaN as None."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
