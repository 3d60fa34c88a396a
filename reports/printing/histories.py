"""A history as a terminal shows it: times run by run, then each change as `compare` shows it."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from reports import words
from reports.history import HEADING, History, Place, numbered, series
from reports.judging.verdict_tables import compare_tables
from reports.printing.grids import Cell, Grid
from reports.printing.layout import MOST, GridTables

MOST_ROWS: Final = 40
"""More times than these are counted."""

Points = dict[int, dict[str, Any]]
"""What was measured, by the place of its run."""


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
        Text(words.printable(numbered(found))),
        *([GridTables(_grid(shown, len(found.analyses)))] if shown else []),
        *([Text(f"\n{more}", style="dim")] if left else []),
        *(part for change in found.changes for part in compare_tables(change)),
    ]


def _grid(shown: dict[Place, Points], runs: int) -> Grid:
    """A row for each problem, implementation and threads, a column for each run."""
    rows = {_said(place): points for place, points in shown.items()}
    shared = words.shared_words(rows)
    return Grid(
        title="Median times",
        unit="ms",
        shared=" ".join(word for word in next(iter(rows)).split() if word in shared),
        columns=tuple(f"run {place}" for place in range(1, runs + 1)),
        rows=tuple(
            (said, tuple(_cell(points.get(at)) for at in range(runs)))
            for said, points in rows.items()
        ),
    )


def _said(place: Place) -> str:
    problem, name, threads = place
    return f"{problem} {words.counted(threads, 'thread')} {words.abbreviated(name, MOST)}"


def _cell(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell(text="", state="")
    return Cell(text=words.milliseconds(row["median_ms"]), state="timed")
