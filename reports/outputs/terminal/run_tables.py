"""The tables and sentences at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import (
    MOST,
    GridTables,
    Name,
    grid_cell,
    table,
    with_numbers,
)
from reports.outputs.terminal.not_measured import not_measured_tables
from reports.outputs.terminal.tail_table import tail_table
from reports.outputs.terminal.verdict_tables import across_tables, verdict_tables
from reports.rows.panels import panels_of
from reports.views import answer, choices, neighbours
from reports.views import notes as call_notes
from reports.views.commands import labels
from reports.views.grids import Cell, Grid, error_grid, memory_grid, speed_up_grid, time_grid
from reports.views.limitations import unread
from reports.views.machine import inside_calls
from reports.views.panels import subject
from reports.views.statuses import NO_TIMES, SHORT_WORDS, STATUS_WORDS
from reports.views.text import abbreviated, counted

MOST_CHOICES: Final = 12
"""Sentences on choices; more are counted."""
_LONG_UNIT: Final = 10
"""Characters of a unit that heads its column on one line; a longer one is broken."""


def summary(analysis: Analysis) -> list[RenderableType]:
    """The tables at the end of a run, what has no time and why, and what the run found.

    An implementation without a number has no column: it is in the table of what has no time only.
    A problem without one has no row, and is counted. The sentences are those of the page.
    """
    shown = shown_grids(analysis)
    alone = len(analysis.plan.problems) == 1
    tables = [problem_table(analysis, shown)] if alone else [GridTables(grid) for grid in shown]
    return [
        *_lines([of_threads(analysis) if shown else ""]),
        *(tables if shown else [Text(NO_TIMES)]),
        *_lines([left_out(analysis)]),
        *([] if alone else legend(shown)),
        *verdict_tables(analysis),
        *across_tables(analysis),
        *tail_table(analysis),
        *_lines(choices.some(analysis, MOST_CHOICES)),
        *_lines(neighbours.sentences(analysis)),
        *not_measured_tables(analysis),
        *_lines([unread(analysis.run), inside_calls(analysis.run, analysis.records)]),
        *_lines(call_notes.sentences(analysis)),
        *_lines(answer.sentences(analysis)),
    ]


def shown_grids(analysis: Analysis) -> list[Grid]:
    """Time, memory, error and speed-up of each panel that has such numbers."""
    grids = [
        make(analysis, panel=panel)
        for make in (time_grid, memory_grid, error_grid, speed_up_grid)
        for panel in panels_of(analysis.plan)
    ]
    return [with_numbers(grid) for grid in grids if not grid.is_empty]


def problem_table(analysis: Analysis, shown: Iterable[Grid]) -> RenderableType:
    """The grids of a run of one problem as one table: a row for each implementation."""
    cells: dict[str, dict[str, Cell]] = {}
    for grid in shown:
        for name, cell in zip(grid.columns, grid.rows[0].cells, strict=True):
            cells.setdefault(name, {})[grid.unit] = cell
    units = list(dict.fromkeys(grid.unit for grid in shown))
    title = ", ".join([str(analysis.plan.problems[0]), *labels(analysis.plan)])
    made = table(title)
    made.add_column("", overflow="fold", min_width=max(Name(name).least for name in cells))
    for unit in units:
        made.add_column(unit, justify="right", no_wrap=len(unit) < _LONG_UNIT)
    for name, own in cells.items():
        values = (grid_cell(own[unit]) if unit in own else Text("") for unit in units)
        made.add_row(Name(abbreviated(name, MOST)), *values)
    return Fitting(made)


def of_threads(analysis: Analysis) -> str:
    """Which number of threads the tables are of; empty where there is only one."""
    *fewer, most = map(str, sorted(analysis.plan.threads))
    if not fewer:
        return ""
    return (
        f"Measured with {', '.join(fewer)} and {most} threads: the tables of time, memory and "
        f"error are of {most}; the table of the speed-up has the times with {fewer[0]}."
    )


def left_out(analysis: Analysis) -> str:
    """How many problems have no row because they have no time; empty where all have one."""
    grids = {panel: time_grid(analysis, panel=panel) for panel in panels_of(analysis.plan)}
    counts = {
        panel: len(grid.rows) - len(with_numbers(grid).rows)
        for panel, grid in grids.items()
        if not grid.is_empty
    }
    said = [
        f"{counted(count, 'problem')} of {subject(panel)}"
        for panel, count in counts.items()
        if count
    ]
    return f"Left out, without a time: {', '.join(said)}; the page has them." if said else ""


def legend(grids: Iterable[Grid]) -> list[RenderableType]:
    """What bold and the short words in the cells mean: one line, for those that occur."""
    grids = list(grids)
    found = {each for grid in grids for each in grid.states()}
    parts = [
        f"{SHORT_WORDS[each]} {STATUS_WORDS[each]}"
        for each in STATUS_WORDS
        if each in found and SHORT_WORDS[each] != STATUS_WORDS[each]
    ]
    bold = ["bold the smallest of its row"] if grids else []
    return [Text("\n" + "   ".join([*bold, *parts]), style="dim")] if [*bold, *parts] else []


def _lines(sentences: Iterable[str]) -> list[RenderableType]:
    """One line for each sentence, after an empty line."""
    found = [each for each in sentences if each]
    return [Text("\n" + "\n".join(found))] if found else []
