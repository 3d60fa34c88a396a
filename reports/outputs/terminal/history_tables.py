"""A history as tables: times run by run, then each change as `compare` shows it."""

from __future__ import annotations

from itertools import islice
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.history import History, Place, Points, series
from reports.outputs.terminal.grid_tables import MOST, GridTables
from reports.outputs.terminal.verdict_tables import compare_tables
from reports.rows.measurements import Measurement
from reports.views.grids import Cell, Grid, GridRow
from reports.views.history import HEADING, numbered
from reports.views.numbers import milliseconds
from reports.views.problems import common_words, shared_words, without
from reports.views.text import abbreviated, counted, printable

MOST_ROWS: Final = 40
"""Series of times; more are counted."""


def history_tables(found: History) -> list[RenderableType]:
    """The times of the runs side by side, then what changed from each to the next."""
    every = series(found)
    repeated = {place: points for place, points in every.items() if len(points) > 1}
    shown = dict(islice(repeated.items(), MOST_ROWS))
    left = len(every) - len(shown)
    once = len(every) - len(repeated)
    more = f"Not shown: {left} more, {once} of them measured in one run only; --json has all."
    return [
        Text(f"\n{HEADING}", style="bold"),
        Text(printable(numbered(found))),
        *([GridTables(_grid(shown, len(found.analyses)))] if shown else []),
        *([Text(f"\n{more}", style="dim")] if left else []),
        *(part for change in found.changes for part in compare_tables(change)),
    ]


def _grid(shown: dict[Place, Points], runs: int) -> Grid:
    """A row for each problem, implementation and threads, a column for each run."""
    rows = {_label(place): points for place, points in shown.items()}
    shared = shared_words(rows)
    return Grid(
        title="Median times",
        unit="ms",
        shared=common_words(next(iter(rows)), shared),
        columns=tuple(f"run {place}" for place in range(1, runs + 1)),
        rows=tuple(
            GridRow(
                label=without(label, shared),
                cells=tuple(_cell(points.get(at)) for at in range(runs)),
            )
            for label, points in rows.items()
        ),
    )


def _label(place: Place) -> str:
    problem, name, threads = place
    return f"{problem} {counted(threads, 'thread')} {abbreviated(name, MOST)}"


def _cell(row: Measurement | None) -> Cell:
    if row is None:
        return Cell(text="", state="empty")
    return Cell(text=milliseconds(row.median_ms), state="timed")
