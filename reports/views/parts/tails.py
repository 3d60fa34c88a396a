"""Tails: p50, p95 and p99 of single calls, in runs that asked for them with --tail."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import TailRow
from reports.views.cases import labelled, labels_of
from reports.views.commands import repeat_command, setting_options
from reports.views.numbers import milliseconds, spread
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.tails import HEADING, HEADS, OF_SESSIONS, TOO_FEW, figure, sentences
from suites.stats.percentiles import Percentile

ORDER: Final = 0.5
_CAPTION: Final = "Percentiles of single calls: one row per problem, implementation and threads."


def section(analysis: Analysis) -> Section | None:
    """The percentiles as a table; None for a run without --tail."""
    if not analysis.tails:
        return None
    head = (
        "problem",
        "implementation",
        *HEADS,
        OF_SESSIONS,
        "slowest ms",
        "threads",
        "sessions",
        "calls",
        "in disturbed rounds",
    )
    rows = tuple(_row(analysis, row) for row in analysis.tails)
    return Section(
        id="tails",
        heading=HEADING,
        sentences=tuple(sentences(analysis)),
        tables=(Table(_CAPTION, head, rows),),
    )


def _row(analysis: Analysis, row: TailRow) -> Row:
    entries = {entry.name: entry for entry in analysis.plan.entries}
    between = spread(row.session_low_ms, row.session_high_ms)
    cells = (
        Value(labelled(row.problem, str(row.problem), labels_of(analysis.plan))),
        Value(row.implementation),
        *map(_percentile, row.percentiles),
        Value(between or TOO_FEW, _order(row.session_high_ms)),
        Value(milliseconds(row.slowest_ms), row.slowest_ms),
        *(Value(str(n), n) for n in (row.threads, row.sessions, row.calls, row.disturbed)),
    )
    files = analysis.plan.inputs_of(row.problem)
    command = repeat_command(row.problem, entries[row.implementation], files)
    settings = setting_options(analysis.plan, row.threads)
    return Row(cells, facets(row.problem, row.implementation), command + settings)


def _percentile(found: Percentile | None) -> Value:
    return Value(figure(found), _order(found.value if found else None))


def _order(value: float | None) -> float:
    """The number a cell is sorted by; NaN where there are too few calls."""
    return float("nan") if value is None else value
