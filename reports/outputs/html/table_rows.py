"""Tables as rows of HTML, with a limited number of rows."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape

from reports.outputs.html.filters import Filters
from reports.views.numbers import known
from reports.views.sections import Row, Table, Value
from reports.views.text import (
    LONGEST_NAME,
    LONGEST_TEXT,
    abbreviated,
    counted,
    printable,
    readable,
)
from reports.views.verdicts import ALONE
from suites.stats.verdicts import WORDS

_ONE_LINE: Final = 32
"""Characters of a cell that stays on one line."""
MOST_ROWS: Final = 1000
"""Rows of one table on the page; `export` writes all."""


def left_out(count: int, most: int, what: str = "row") -> str:
    """How many rows are left out, and where they are; empty where none is."""
    if count <= most:
        return ""
    left = counted(count - most, f"more {what}")
    return f" The first {most:,} only: {left} in what `run_bench.py export` writes."


def capped(table: Table) -> Table:
    """The table with no more rows than a page shows; the caption says how many are left out."""
    caption = table.caption + left_out(len(table.rows), MOST_ROWS)
    return replace(table, caption=caption, rows=table.rows[:MOST_ROWS])


def is_numeric(table: Table, place: int) -> bool:
    """Whether a column has numbers, which are aligned to the right."""
    if not table.rows:
        return False
    first = table.rows[0].cells[place]
    return first.order is not None and len(first.text) <= _ONE_LINE


def body(table: Table, filters: Filters) -> Markup:
    """The rows of a table as HTML; the first cell of each is its heading.

    Written here and not in the template, which is slow for tens of thousands of cells.
    """
    commands = any(row.command for row in table.rows)
    options = profiled_against(table)
    return Markup("\n").join(_row(row, filters, options, commands=commands) for row in table.rows)


def profiled_against(table: Table) -> list[str]:
    """The options that turn repeat commands into those that profile the same, each once.

    The script of the page makes these commands: a thousand of them would be 0.15 MB.
    """
    return list(dict.fromkeys(row.against for row in table.rows if row.against is not None))


def _row(row: Row, filters: Filters, options: list[str], *, commands: bool) -> Markup:
    mark = f" data-f={filters.mark(row.facets)}" if row.facets else ""
    mark += "" if row.against is None else f" data-p={options.index(row.against)}"
    first, *others = row.cells
    cells = "".join(map(_cell, others))
    command = f"<td>{_command(row.command)}" if commands else ""
    head = f"<tr{mark}><th scope=row{_order(first)}>{short(first.text)}"
    return Markup(head + cells + command)  # noqa: S704 - every part of it is escaped


def _cell(value: Value) -> str:
    word = value.text.removesuffix(ALONE)
    if word in WORDS:
        return f'<td class="verdict {word.replace(" ", "_")}">{value.text}</td>'
    if len(value.text) <= _ONE_LINE:
        return f"<td{_order(value)}>{short(value.text)}"
    return f"<td class=long{_order(value)}>{folded(value.text)}"


def _order(value: Value) -> str:
    """The number a cell is sorted by, as an attribute; empty where that is the cell's text.

    Attributes have no quotes, which would be a tenth of a large page.
    """
    if value.order is None:
        return ""
    if not known(value.order):
        return " data-v=none"
    # Whole numbers are exact: downloads read bytes from here.
    is_whole = value.order % 1 == 0
    number = f"{value.order:.0f}" if is_whole else f"{value.order:.6g}"
    return " data-v" if number == value.text else f" data-v={number}"


def _command(text: str) -> str:
    """A command that unfolds; the script puts a button beside it that copies it."""
    command = str(escape(printable(text))).replace("&#34;", '"')  # safe in a text, and shorter
    return f"<details><summary>command</summary>{command}</details>" if text else ""


@lru_cache(maxsize=4096)
def short(text: str) -> Markup:
    """A name, abbreviated where it is long, with the full name as title."""
    return _titled(text, escape(abbreviated(text)))


def breakable(name: str) -> Markup:
    """A name that may break between its words, for the heading of a narrow column."""
    shown = re.sub(r"([_(,=])(?=\w)", r"\1<wbr>", str(escape(abbreviated(name))))
    return _titled(name, Markup(shown))  # noqa: S704 - escaped


def _titled(text: str, shown: Markup) -> Markup:
    """The text, abbreviated where it is long, with the whole text as title."""
    line = printable(text)
    if len(line) <= LONGEST_NAME:
        return shown
    return Markup('<span title="{}">{}</span>').format(line, shown)


def folded(text: str) -> Markup:
    """A text of any length: a long one is folded and opens to its full length."""
    whole = readable(text)
    if len(whole) <= LONGEST_TEXT:
        return escape(whole)
    some = abbreviated(text, LONGEST_TEXT // 3)
    unfold = Markup("<details><summary>{}</summary>{}</details>")
    return unfold.format(some, whole)
