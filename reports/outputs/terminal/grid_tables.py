"""Grids as tables of a terminal: as many columns side by side as its width holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, log
from statistics import fmean
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from reports.outputs.terminal.blocks import block
from reports.rows.answers import State
from reports.views.grids import Cell, Grid
from reports.views.statuses import STATUS_WORDS
from reports.views.text import LONGEST_NAME, abbreviated, printable

STYLES: Final = {
    "wrong": "bold red",
    "failed": "bold red",
    "crashed": "bold red",
    "out_of_memory": "yellow",
    "timed_out": "yellow",
    "refused": "dim",
    "missing": "dim",
    "not_reached": "dim",
}
"""Colours of the states."""
GAP: Final = 2
"""Characters between two columns of a table."""
_LABELS: Final = "problem"
"""The head of the first column."""
_WIDEST_HEAD: Final = 9
"""Characters of one line of a folded head."""
_LEAST: Final = 20
"""The least width of a column of names, in characters; longer names may be broken."""
MOST: Final = 40
"""Characters of a name; a longer one is abbreviated to leave room for numbers."""


@dataclass(frozen=True, slots=True)
class GridTables:
    """A grid as one table, or as several where the width does not hold all its columns.

    Where it does not hold a single one, each row is a block of `name: value` lines.
    """

    grid: Grid

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = self.grid
        shared = f" ({grid.shared})" if grid.shared else ""
        heads = [abbreviated(name, MOST) for name in grid.columns]
        title = abbreviated(grid.title, 2 * LONGEST_NAME)
        if self._is_narrow(heads, options.max_width):
            yield Text(f"\n{title}, {grid.unit}{shared}", style="bold")
            for row in grid.rows:
                yield from block(
                    Text(row.label), zip(heads, map(grid_cell, row.cells), strict=True)
                )
            return
        if len(list(self._groups(heads, options.max_width))) > 1:
            heads = [folded(head) for head in heads]
        for index, places in enumerate(self._groups(heads, options.max_width)):
            continued = ", continued" if index else ""
            yield Text(f"\n{title}, {grid.unit}{shared}{continued}", style="bold")
            yield self._table(heads, places)

    def _groups(self, heads: list[str], width: int) -> Iterator[list[int]]:
        """The positions of the columns of each table; one column at least."""
        group: list[int] = []
        room = width - self._labels
        for place, head in enumerate(heads):
            wide = self._width(head, place)
            if group and wide > room:
                yield group
                group, room = [], width - self._labels
            group.append(place)
            room -= wide
        yield group

    @property
    def _labels(self) -> int:
        """The width of the first column, including the gap behind it."""
        lines = (line for row in self.grid.rows for line in row.label.split("\n"))
        return max(map(len, [_LABELS, *lines])) + GAP

    def _is_narrow(self, heads: list[str], width: int) -> bool:
        """Whether the labels leave no room for a column."""
        columns = enumerate(map(folded, heads))
        return any(self._labels + self._width(head, place) > width for place, head in columns)

    def _width(self, head: str, place: int) -> int:
        """The width of a column, including the gap before it."""
        lines = map(len, head.split("\n"))
        return GAP + max([*lines, *(len(row.cells[place].text) for row in self.grid.rows)])

    def _table(self, heads: list[str], places: list[int]) -> Table:
        grid = self.grid
        made = table()
        made.add_column(_LABELS, no_wrap=True)
        for place in places:
            made.add_column(Text(heads[place]), justify="right", no_wrap=True)
        for row in grid.rows:
            made.add_row(Text(row.label), *(grid_cell(row.cells[place]) for place in places))
        return made


@dataclass(frozen=True, slots=True)
class ByWidth:
    """One rendering for terminals of at least `least` columns, another for narrower ones."""

    least: int
    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.wide if options.max_width >= self.least else self.narrow


def with_numbers(grid: Grid) -> Grid:
    """The grid without the columns and the rows that hold no number."""
    kept = [
        place
        for place in range(len(grid.columns))
        if any(row.cells[place].state == "timed" for row in grid.rows)
    ]
    rows = tuple(
        replace(row, cells=tuple(row.cells[place] for place in kept))
        for row in grid.rows
        if any(cell.state == "timed" for cell in row.cells)
    )
    return replace(grid, columns=tuple(grid.columns[place] for place in kept), rows=rows)


def fastest_first(grid: Grid, times: Grid) -> Grid:
    """The grid with its columns in order of `times`: the smallest mean of time over least first.

    The mean is geometric, over the rows in which a column has a time. Columns without one are last.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    for row in times.rows:
        levels = {n: c.level for n, c in zip(times.columns, row.cells, strict=True) if c.level}
        for name, level in levels.items():
            shares[name].append(log(level / min(levels.values())))
    means = {name: fmean(own) for name, own in shares.items()}
    order = sorted(range(len(grid.columns)), key=lambda at: means.get(grid.columns[at], inf))
    rows = (replace(row, cells=tuple(row.cells[at] for at in order)) for row in grid.rows)
    columns = tuple(grid.columns[at] for at in order)
    return replace(grid, columns=columns, rows=tuple(rows))


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a row: on one line where there is room, else broken at its separators."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        indent = " " * (len(self.text) - len(self.text.lstrip()))
        widest = options.max_width - len(indent)
        lines = folded(self.text.lstrip(), widest).split("\n")
        yield Text("\n".join(indent + line for line in lines))

    @property
    def least(self) -> int:
        """The width at which no part of it is broken; at most 20."""
        parts = map(len, folded(self.text, 0).split("\n"))
        return min(_LEAST, max(parts, default=0) + len(self.text) - len(self.text.lstrip()))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.least, len(self.text))


def folded(name: str, widest: int = _WIDEST_HEAD) -> str:
    """A name on several lines, broken at its separators, each of at most `widest` if possible."""
    for joint in "_,+ ":
        name = name.replace(joint, f"{joint}\n")
    for joint in "[(":
        name = name.replace(joint, f"\n{joint}")
    lines = [""]
    for part in name.split("\n"):
        if len((lines[-1] + part).rstrip()) <= widest:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def table(title: str = "") -> Table:
    """An empty table in the common style."""
    return Table(
        title=Text(f"\n{printable(title)}", style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def state(name: State) -> Text:
    """A state in words, coloured."""
    return Text(STATUS_WORDS[name], style=STYLES.get(name, ""))


def grid_cell(cell: Cell) -> Text:
    """The text of a cell, bold for the smallest number of its row."""
    return Text(cell.text, style="bold" if cell.least else STYLES.get(cell.state, ""))
