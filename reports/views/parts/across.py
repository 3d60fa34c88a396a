"""Across panels: ratios to the baseline of --against of implementations of other functions."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import AcrossRow
from reports.views.across import HEADING, NOTE, mark
from reports.views.cases import labelled, labels_of
from reports.views.commands import interleaved_command, setting_options
from reports.views.numbers import floor, percent, ratio_in
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.verdicts import reason

ORDER: Final = 0
_HEAD: Final = (
    "problem",
    "implementation",
    "threads",
    "ratio [95 %]",
    "verdict",
    "RMS error",
    "what it computes",
    "reason",
    "floor",
    "against",
    "sessions",
)


def section(analysis: Analysis) -> Section:
    """The ratios as a table; empty without --against and times of another panel."""
    rows = tuple(_row(analysis, row) for row in analysis.across)
    caption = "Other functions beside the baseline: one row per comparison."
    return Section(
        id="across-panels",
        heading=HEADING,
        sentences=(NOTE,) if rows else (),
        tables=(Table(caption, _HEAD, rows, shown=6),) if rows else (),
    )


def _row(analysis: Analysis, row: AcrossRow) -> Row:
    entries = {entry.name: entry for entry in analysis.plan.entries}
    command = interleaved_command(
        row.problem,
        entries[row.baseline],
        entries[row.implementation],
        sessions=analysis.plan.sessions,
        files=analysis.plan.inputs_of(row.problem),
    )
    cells = (
        Value(labelled(row.problem, str(row.problem), labels_of(analysis.plan))),
        Value(row.implementation),
        Value(str(row.threads), row.threads),
        _figure(row.ratio, ratio_in(row.ratio, row.low, row.high)),
        Value(row.verdict),
        _figure(row.relative_error, percent(row.relative_error)),
        Value(mark(row)),
        Value(reason(row)),
        _figure(row.floor, floor(row.floor)),
        Value(row.baseline),
        Value(str(row.sessions), row.sessions),
    )
    settings = setting_options(analysis.plan, row.threads)
    return Row(cells, facets(row.problem, row.implementation), command + settings)


def _figure(value: float | None, text: str) -> Value:
    return Value(text, float("nan") if value is None else value)
