"""Parts of the page: sentences, charts and tables under one heading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reports.views.charts.chart import Shown

SHOWN: Final = 5
"""Columns of a table that are shown at first: those fit a window of 1400 pixels."""


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a cell, and the number it is sorted by, where that is not its text."""

    text: str
    order: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    facets   what it is filtered by
    command  repeats its measurement; empty without one
    against  what turns its command into the one that profiles it: the option that names the
             baseline, empty without a baseline; None: it has no such command
    """

    cells: tuple[Value, ...]
    facets: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted and filtered; the most important columns stand first.

    shown  number of columns that are shown at first
    names  of the columns in downloads, with their units; empty for a table without downloads
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    shown: int = SHOWN
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page. `id` has lower-case letters and hyphens.

    on_demand  the words that open its charts and tables, which are closed and have no PNG files;
               empty for a part that is open
    early      whether it stands before the panels
    """

    id: str
    heading: str
    sentences: tuple[str, ...] = ()
    charts: tuple[Shown, ...] = ()
    tables: tuple[Table, ...] = ()
    on_demand: str = ""
    early: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing below its heading."""
        return not (self.sentences or self.charts or self.tables)
