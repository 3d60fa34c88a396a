"""Typed rows as dictionaries, for tests that look at many fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reports.analysis.comparison import ComparisonRow
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Judged
from reports.rows.columns import columns
from reports.rows.measurements import Measurement, measurement_columns
from reports.rows.outcomes import Outcome
from reports.views import not_measured as views
from reports.views.comparison import row_reason
from reports.views.not_measured import NotMeasured
from reports.views.statuses import reason
from suites.records.record import Record
from suites.records.store import Run


def rows_of(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """The fields of each row by name; the problem stays a Problem, reasons are one text."""
    return [_row(row) for row in rows]


def verdicts(run: Run, records: Iterable[Record]) -> list[dict[str, Any]]:
    """The verdicts of a run."""
    return rows_of(Analysis(run, records).verdicts)


def run_floor(run: Run, records: Iterable[Record]) -> float | None:
    """The noise floor of a run."""
    return Analysis(run, records).floor


def not_measured(run: Run, records: Iterable[Record]) -> list[NotMeasured]:
    """What was planned and has no time."""
    return views.not_measured(Analysis(run, records))


def _row(row: Any) -> dict[str, Any]:
    if isinstance(row, Measurement):
        return {**measurement_columns(row), "problem": row.problem}
    found = {**columns(row)}
    if isinstance(row, NotMeasured):
        return {**found, "count": row.count}
    found["problem"] = row.problem
    if isinstance(row, Outcome):
        found["reason"] = reason(row.cause, row.reason)
    if isinstance(row, ComparisonRow):
        found["reason"] = row_reason(row)
    elif isinstance(row, Judged):
        found["reason"] = "; ".join(row.reasons)
    return found
