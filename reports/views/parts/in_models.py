"""In models: times of steps, and what an implementation saves of them, as chart and tables."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from reports.analysis.in_models import InModelRow, in_models
from reports.analysis.run_analysis import Analysis
from reports.views.charts.in_models import in_model_charts
from reports.views.commands import repeat_command, setting_options
from reports.views.in_models import (
    BESIDE,
    BOUND,
    BY_ATTENTION,
    HEADING,
    HOW,
    MEASURED,
    NOTE,
    SAVES,
    SHARE,
    beside,
    bound,
    judged,
    part,
    saved,
    sentences,
)
from reports.views.model_titles import titles
from reports.views.numbers import NOT_SEEN, mebibytes, milliseconds, ratio_in
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.values import figure

ORDER: Final = -0.5
_TIMES: Final = (
    *("model", "implementation", "median ms", "ratio [95 %]", "verdict", "peak MiB"),
    *("sessions", "problem"),
)
_SAVINGS: Final = ("model", "implementation", SHARE, BOUND, BY_ATTENTION, MEASURED, BESIDE)


def section(analysis: Analysis) -> Section | None:
    """The chart and both tables; None for a run without steps of models."""
    rows = in_models(analysis)
    if not rows:
        return None
    named = titles(row.problem for row in rows)
    times = tuple(_times(analysis, row, named[row.problem]) for row in rows)
    savings = tuple(_savings(analysis, row, named[row.problem]) for row in rows if row.attention)
    caption = "Models by implementations: one row per model, step and implementation."
    tables = (
        Table(caption, (*_threads(analysis), *_TIMES), times, shown=6 + len(_threads(analysis))),
        Table(
            f"{SAVES} of the baseline's step. {HOW}",
            (*_threads(analysis), *_SAVINGS),
            savings,
            shown=len(_SAVINGS) + len(_threads(analysis)),
        ),
    )
    return Section(
        id="in-models",
        heading=HEADING,
        sentences=(NOTE, *sentences(rows)),
        charts=tuple(in_model_charts(analysis, rows)),
        tables=tuple(table for table in tables if table.rows),
        early=True,
    )


def _threads(analysis: Analysis) -> tuple[str, ...]:
    """The head of a first column where a run has several numbers of threads."""
    return ("threads",) if len(analysis.plan.threads) > 1 else ()


def _times(analysis: Analysis, row: InModelRow, title: str) -> Row:
    measured, verdict = row.measured, row.judged
    ratio = verdict.ratio if verdict else None
    peak = NOT_SEEN if measured.unseen else mebibytes(measured.peak_bytes)
    cells = (
        Value(title),
        Value(row.implementation),
        figure(measured.median_ms, milliseconds(measured.median_ms)),
        figure(ratio, ratio_in(ratio, verdict.low, verdict.high) if verdict else "", absent=""),
        Value(judged(row)),
        figure(measured.peak_bytes, peak),
        Value(str(measured.sessions), measured.sessions),
        Value(str(row.problem)),
    )
    return _made(analysis, row, cells)


def _savings(analysis: Analysis, row: InModelRow, title: str) -> Row:
    own = row.by_attention
    cells = (
        Value(title),
        Value(row.implementation),
        figure(row.attention.value if row.attention else None, part(row.attention)),
        figure(row.free.value if row.free else None, bound(row)),
        figure(own.value if own else None, part(own), absent=""),
        figure(row.saved, saved(row), absent=""),
        Value(beside(row)),
    )
    return _made(analysis, row, cells)


def _made(analysis: Analysis, row: InModelRow, cells: tuple[Value, ...]) -> Row:
    """A row with its number of threads where there are several, and the command that repeats it."""
    threads = (Value(str(row.threads), row.threads),) if _threads(analysis) else ()
    return Row(
        (*threads, *cells),
        facets(row.problem, row.implementation),
        _command(analysis, row.problem, row),
    )


def _command(analysis: Analysis, problem: Problem, row: InModelRow) -> str:
    entries = {entry.name: entry for entry in analysis.plan.entries}
    command = repeat_command(problem, entries[row.implementation])
    return command + setting_options(analysis.plan, row.threads)
