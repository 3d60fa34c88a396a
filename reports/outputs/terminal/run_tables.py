"""The tables and sentences at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.counterpart_tables import counterpart_tables
from reports.outputs.terminal.ending import ending
from reports.outputs.terminal.grid_tables import (
    MOST,
    GridTables,
    Name,
    fastest_first,
    grid_cell,
    table,
    with_numbers,
)
from reports.outputs.terminal.in_models_table import in_models_table
from reports.outputs.terminal.longest_table import longest_table
from reports.outputs.terminal.not_measured import not_measured_tables
from reports.outputs.terminal.ordering_table import ordering_table
from reports.outputs.terminal.own_inputs import own_inputs_table
from reports.outputs.terminal.ranks_table import ranks_table
from reports.outputs.terminal.tail_table import tail_table
from reports.outputs.terminal.verdict_tables import across_tables, verdict_tables
from reports.rows.panels import MODELS, panels_of
from reports.views import choices, disturbance, neighbours, nvidia, processes
from reports.views import notes as call_notes
from reports.views.commands import labels
from reports.views.grids import (
    Cell,
    Grid,
    error_grid,
    memory_grid,
    read_grid,
    speed_up_grid,
    time_grid,
    token_grid,
)
from reports.views.limitations import unread
from reports.views.machine import inside_calls
from reports.views.panels import one_of, subject
from reports.views.statuses import NO_TIMES, SHORT_WORDS, STATUS_WORDS
from reports.views.stream import stream_grid
from reports.views.text import abbreviated, counted

MOST_CHOICES: Final = 12
"""Sentences on choices; more are counted."""
FEW_CHOICES: Final = 4
"""The same where --all is not given."""
FEW_ROWS: Final = 12
"""Verdicts that are shown row by row where --all is not given; the answer sums up more."""
_LONG_UNIT: Final = 10
"""Characters of a unit that heads its column on one line; a longer one is broken."""


def summary(analysis: Analysis, *, every: bool = False) -> list[RenderableType]:
    """The tables of a run, and as its last lines the answer.

    Shown are times and memory of attention, or of the panels of the implementations that were
    named. Other panels and what has no time are counted. An implementation without a number has no
    column, a problem without one has no row. The sentences are those of the page.

    every  the tables of all panels, all verdicts, and the reasons of all that has no time
    """
    panels = panels_of(analysis.plan) if every else main_panels(analysis)
    shown = shown_grids(analysis, panels)
    alone = len(analysis.plan.problems) == 1
    tables = [problem_table(analysis, shown)] if alone and shown else map(GridTables, shown)
    return [
        *_lines(choices.some(analysis, MOST_CHOICES if every else FEW_CHOICES)),
        *_lines([of_threads(analysis) if shown else ""]),
        *(tables if shown else [Text(NO_TIMES)]),
        *_lines([left_out(analysis, panels)]),
        *([] if alone else legend(shown)),
        *_verdicts(analysis, panels, every=every),
        *in_models_table(analysis, every=every),
        *own_inputs_table(analysis, every=every),
        *tail_table(analysis),
        *ranks_table(analysis),
        *ordering_table(analysis, every=every),
        *counterpart_tables(analysis, every=every),
        *longest_table(analysis),
        *_lines([also_measured(analysis, panels)]),
        *not_measured_tables(analysis, every=every),
        *_lines(_remarks(analysis, every=every)),
        *_disturbed(analysis),
        *ending(analysis, every=every),
    ]


def main_panels(analysis: Analysis) -> list[str]:
    """The panels of the implementations that were named; without names, the first with times.

    With --against, the panel of the baseline too. Steps of models are in the plan by name only.
    """
    plan = analysis.plan
    wanted = {*plan.named, *([plan.baseline] if plan.across else [])}
    named = {row.panel for row in analysis.outcomes if row.implementation in wanted}
    timed = {row.panel for row in analysis.outcomes if row.timed}
    found = [panel for panel in panels_of(plan) if panel in timed]
    return [panel for panel in found if panel in named] or [
        panel for panel in found if panel in (found[0], MODELS)
    ]


def shown_grids(analysis: Analysis, panels: Collection[str]) -> list[Grid]:
    """Every grid of each panel that has such numbers, the fastest first."""
    makes = (
        *(time_grid, token_grid, stream_grid, memory_grid),
        *(read_grid, error_grid, speed_up_grid),
    )
    grids = [
        fastest_first(make(analysis, panel=panel), time_grid(analysis, panel=panel))
        for make in makes
        for panel in panels
    ]
    return [with_numbers(grid) for grid in grids if not grid.is_empty]


def _verdicts(analysis: Analysis, panels: Collection[str], *, every: bool) -> list[RenderableType]:
    """Verdicts row by row where they are few; many are counted on demand."""
    own = [row for row in analysis.verdicts if row.panel in panels]
    return [
        *(verdict_tables(analysis, panels) if every or len(own) <= FEW_ROWS else []),
        *(across_tables(analysis) if every or len(analysis.across) <= FEW_ROWS else []),
    ]


def also_measured(analysis: Analysis, panels: Collection[str]) -> str:
    """How many implementations of other panels have times; empty where all are shown."""
    timed = {(row.implementation, row.panel) for row in analysis.outcomes if row.timed}
    counts = Counter(panel for _, panel in timed if panel not in panels)
    said = [counted(counts[p], one_of(p)) for p in panels_of(analysis.plan) if counts[p]]
    return f"Also measured: {', '.join(said)} (see --all)." if said else ""


def _remarks(analysis: Analysis, *, every: bool) -> Iterator[str]:
    """How the run went: rows that slow others, unread rows, how functions were called."""
    yield from neighbours.sentences(analysis)
    yield from processes.sentences(analysis)
    yield unread(analysis.run)
    yield from nvidia.sentences(analysis)
    yield inside_calls(analysis.run, analysis.records) if every else ""
    yield from call_notes.sentences(analysis)


def _disturbed(analysis: Analysis) -> list[RenderableType]:
    """Disturbed rounds, withheld verdicts, and the definition of the word."""
    found = disturbance.meaning(analysis)
    return [
        *_lines(found),
        *([Text(disturbance.definition(analysis.plan), style="dim")] if found else []),
    ]


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


def left_out(analysis: Analysis, panels: Iterable[str]) -> str:
    """How many problems have no row because they have no time; empty where all have one."""
    grids = {panel: time_grid(analysis, panel=panel) for panel in panels}
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
