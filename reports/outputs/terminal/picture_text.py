"""The content of a page of pictures in the terminal: sentences, small heat maps, tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import table
from reports.outputs.terminal.heat_text import fits, heat_text, legend
from reports.views.charts.heat import Heat
from reports.views.picture import Picture
from reports.views.sections import Table
from reports.views.text import counted

MOST_ROWS: Final = 32
"""Rows of a table; the page has all."""


def picture_text(shown: Picture) -> Iterator[RenderableType]:
    """The title, the answer, the sections, and the notes."""
    yield Text(shown.title)
    yield Text(shown.answer, style="bold")
    for note in shown.notes:
        yield Text(note)
    for section in shown.sections:
        for each in section.tables:
            yield _table(each)
        for chart in section.charts:
            if isinstance(chart, Heat) and fits(chart):
                yield from heat_text(chart)
                yield Text(legend(chart))


def _table(content: Table) -> RenderableType:
    left = len(content.rows) - MOST_ROWS
    more = f"; {counted(left, 'more row')} on the page" if left > 0 else ""
    made = table(f"{content.caption}{more}")
    for head in content.head:
        made.add_column(head, overflow="fold")
    for row in content.rows[:MOST_ROWS]:
        made.add_row(*(Text(cell.text) for cell in row.cells))
    return Fitting(made)
