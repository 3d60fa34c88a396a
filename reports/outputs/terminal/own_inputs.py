"""The error on the user's own inputs beside that on random ones, in the terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.rows.own_inputs import own_inputs
from reports.views.own_inputs import HEADING, HEADS, NOTE, timed_note, values
from reports.views.text import abbreviated, counted

MOST_ROWS: Final = 24
"""Rows; more are counted."""
_SHOWN: Final = 3
"""Columns of numbers that fit a terminal."""


def own_inputs_table(analysis: Analysis, *, every: bool = False) -> list[RenderableType]:
    """A row for each tensor, file and implementation; empty for a run with random inputs alone.

    every  all rows
    """
    found = own_inputs(analysis.run, analysis.records)
    if not found:
        return []
    shown = found if every else found[:MOST_ROWS]
    made = table(HEADING)
    names = [Name(abbreviated(row.implementation, MOST)) for row in shown]
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    made.add_column("file", overflow="fold", min_width=8)
    made.add_column("tensor", no_wrap=True)
    for head in HEADS[:_SHOWN]:
        made.add_column(head, justify="right", no_wrap=True)
    for name, row in zip(names, shown, strict=True):
        cells = (text or "not compared" for text, _ in values(row)[:_SHOWN])
        made.add_row(name, Text(row.file), row.tensor, *cells)
    left = len(found) - len(shown)
    more = f"{counted(left, 'more row')} of errors: see --all, or the page." if left else ""
    said = filter(None, (NOTE, timed_note(analysis), more))
    return [Fitting(made), Text("\n".join(said), style="dim")]
