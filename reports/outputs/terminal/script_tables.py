"""A recorded script in the terminal: the share of attention, and a table by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.call_sites import CallSites
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import Name, table
from reports.views.scripts import rest
from reports.views.scripts.notes import notes
from reports.views.scripts.sentences import headline
from reports.views.scripts.tables import site_table
from reports.views.sections import Value
from reports.views.text import LONGEST_TEXT, abbreviated, capitalized, counted

MOST_ROWS: Final = 12
"""Lines of the script; more are counted."""
_HEADS: Final = {
    "share": "share",
    "cumulative": "cumulative",
    "calls per step": "calls per\nstep",
    "calls in all": "calls\nin all",
    "forward ms": "forward\nms",
    "backward ms": "backward\nms",
}
"""Columns of numbers, each with its head."""


def script_tables(found: CallSites) -> list[RenderableType]:
    """The summary, the table by line, and what is not in it."""
    return [
        Text(f"{capitalized(headline(found))}.", style="bold"),
        _table(found),
        *_rest(found),
        *(Text(abbreviated(each, LONGEST_TEXT)) for each in _notes(found)),
    ]


def _table(found: CallSites) -> RenderableType:
    """A row for each line, with its problem below it, and the time outside attention."""
    content = site_table(found)
    every = [dict(zip(content.head, row.cells, strict=True)) for row in content.rows]
    heads = [head for head in _HEADS if head in content.head]
    shown = [*every[: len(found.sites)][:MOST_ROWS], *every[len(found.sites) :]]
    rows = [row for line in shown for row in _rows(line, heads)]
    made = table(content.caption)
    made.add_column("", overflow="fold", min_width=max(name.least for name, _ in rows))
    for head in heads:
        made.add_column(_HEADS[head], justify="right", no_wrap=True)
    for name, cells in rows:
        made.add_row(name, *cells)
    return Fitting(made)


def _rows(line: Mapping[str, Value], heads: Sequence[str]) -> Iterator[tuple[Name, list[str]]]:
    yield Name(line["line"].text), [line[head].text for head in heads]
    by = f" by {line['function'].text}" if "function" in line and line["function"].text else ""
    if line["problem"].text:
        yield Name(f"  {line['problem'].text}{by}"), []


def _rest(found: CallSites) -> Iterator[RenderableType]:
    """The kinds of operators of a profiled step."""
    for section in rest.sections(found):
        content = section.tables[0]
        made = table(section.heading)
        made.add_column("", overflow="fold")
        for head in content.head[1:5]:
            made.add_column(head, justify="right", no_wrap=True)
        for row in content.rows[:MOST_ROWS]:
            made.add_row(*(cell.text for cell in row.cells[:5]))
        yield Fitting(made)
        yield from map(Text, section.sentences)


def _notes(found: CallSites) -> Iterator[str]:
    left = len(found.sites) - MOST_ROWS
    if left > 0:
        yield f"Not shown: {counted(left, 'more line')}; the page has all."
    yield from notes(found)
