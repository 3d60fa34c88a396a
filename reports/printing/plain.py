"""A run as plain data, for other programs: `--json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reports.analysis import Analysis
from reports.judging.compare import Comparison
from reports.sessions import median_ceilings, share_inside_calls
from reports.tables import rows_of
from suites.stats import ceilings

SETTINGS: Final = ("baseline", "delta", "precision", "cache", "allocator", "threads", "seed")
"""Fields of the plan that say how its figures were obtained."""


def as_data(analysis: Analysis) -> dict[str, Any]:
    """The run, its settings and machine, and its tables; JSON can hold it, None is "not measured".

    share_inside_calls  the part of the run's wall time spent inside calls of implementations
    ceilings            what the machine reached at best, medians over the sessions
    """
    return {
        "run": analysis.run.name,
        "suite": analysis.plan.suite,
        "command": analysis.run.command,
        "started": analysis.run.started,
        "ended": analysis.run.ended,
        "sessions": analysis.plan.sessions,
        "settings": {name: plain(getattr(analysis.plan, name)) for name in SETTINGS},
        "share_inside_calls": share_inside_calls(analysis.run, analysis.records),
        "machine": plain(analysis.run.machine),
        "ceilings": ceilings.to_json(median_ceilings(analysis.run)),
        "measurements": _rows(analysis.measurements),
        "verdicts": _rows(analysis.verdicts),
        "outcomes": _rows(analysis.outcomes),
        "not_measured": _rows(analysis.not_measured),
    }


def compared(comparison: Comparison) -> dict[str, Any]:
    """A comparison: its rows, what has to be known of them, and what differs between machines."""
    return {
        "base": comparison.base,
        "new": comparison.new,
        "rows": _rows(rows_of(comparison.table)),
        "sentences": list(comparison.sentences),
        "differences": list(comparison.differences),
    }


def _rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [plain(row) for row in rows]


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
