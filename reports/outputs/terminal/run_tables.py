"""The tables at the end of a run and of a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.grid_tables import MOST, STYLES, GridTables, table, with_numbers
from reports.outputs.terminal.not_measured import not_measured_tables
from reports.outputs.terminal.verdict_tables import verdict_tables
from reports.rows.answers import State
from reports.rows.outcomes import Outcome
from reports.rows.panels import panels_of
from reports.views import choices, neighbours
from reports.views.grids import Grid, error_grid, memory_grid, speed_up_grid, time_grid
from reports.views.limitations import unread
from reports.views.machine import inside_calls
from reports.views.numbers import share
from reports.views.panels import subject
from reports.views.statuses import NO_TIMES, SHORT_WORDS, STATUS_WORDS
from reports.views.text import abbreviated, counted

MOST_CHOICES: Final = 12
"""Sentences on choices; more are counted."""


def summary(analysis: Analysis) -> list[RenderableType]:
    """The tables at the end of a run: time, memory, verdicts, and what has no time and why.

    An implementation without a number has no column: it is in the last table only. A problem
    without one has no row, and is counted.
    """
    grids = [
        make(analysis, panel=panel)
        for make in (time_grid, memory_grid, error_grid, speed_up_grid)
        for panel in panels_of(analysis.plan)
    ]
    shown = [with_numbers(grid) for grid in grids if not grid.is_empty]
    tables: list[RenderableType] = [GridTables(grid) for grid in shown]
    if not shown:
        tables.append(Text(NO_TIMES))
    return [
        *_lines([of_threads(analysis) if shown else ""]),
        *tables,
        *_lines([left_out(analysis)]),
        *legend(shown),
        *verdict_tables(analysis),
        *_lines(choices.some(analysis, MOST_CHOICES)),
        *_lines(neighbours.sentences(analysis)),
        *not_measured_tables(analysis),
        *_lines([unread(analysis.run), inside_calls(analysis.run, analysis.records)]),
    ]


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


def check_tables(analysis: Analysis) -> list[RenderableType]:
    """The results of `check`: a row per implementation, then the reasons of what does not agree.

    The column `mask` says whether the mask of an implementation, read out, is the one asked for.
    """
    found = {row.status for row in analysis.outcomes}
    seen = [each for each in STATUS_WORDS if each in found - {"ok"}]
    made = table("Agreement with the reference")
    made.add_column("implementation", no_wrap=True)
    for name in ("checked", "agree", *(STATUS_WORDS[each] for each in seen)):
        made.add_column(name, justify="right", min_width=max(map(len, name.split())))
    made.add_column("worst share of the gate", justify="right")
    made.add_column("mask")
    for entry in analysis.plan.entries:
        own = [row for row in analysis.outcomes if row.implementation == entry.name]
        made.add_row(Text(abbreviated(entry.name, MOST)), *_check_cells(own, seen))
    return [made, *not_measured_tables(analysis)]


def _lines(sentences: Iterable[str]) -> list[RenderableType]:
    """One line for each sentence, after an empty line."""
    found = [each for each in sentences if each]
    return [Text("\n" + "\n".join(found))] if found else []


def _check_cells(own: Sequence[Outcome], seen: Sequence[State]) -> list[Text]:
    counts = Counter(row.status for row in own)
    untried = counts["refused"] + counts["missing"] + counts["not_reached"]
    shares = [row.evidence.share for row in own if row.evidence.share is not None]
    readouts = [row.evidence.readout for row in own if row.evidence.readout is not None]
    readout = "" if not readouts else "exact" if all(readouts) else "differs"
    return [
        Text(str(len(own) - untried)),
        Text(str(counts["ok"])),
        *(Text(str(counts[each] or ""), style=STYLES.get(each, "")) for each in seen),
        Text(share(max(shares, default=None))),
        Text(readout, style="bold red" if readout == "differs" else ""),
    ]
