"""Heat maps: a value for each pair of row and column, in panels side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

Cells = tuple[tuple[float | None, ...], ...]
"""Rows of values; None where there is no value, as for a hidden key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One heat map.

    word    of its values, as weight
    signed  whether values are differences, with a colour for each sign
    sides   a few words for each row, as the sum of its values; empty for none
    names   of the values 0, 1, ... where they are kinds, as skipped; empty for numbers
    """

    title: str
    cells: Cells
    word: str
    signed: bool = False
    sides: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def most(self) -> float:
        """The end of its scale of colours: the largest size of a finite value, or 1."""
        if self.names:
            return len(self.names) - 1
        values = [abs(x) for row in self.cells for x in row if x is not None and isfinite(x)]
        return max(values, default=0.0) or 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Heat maps of the same rows and columns; texts as in a Chart.

    panels  those that are not signed share a scale of colours
    empty   the meaning of a cell without a value
    mark    the row and the column of a cell that is marked; None for none
    """

    key: str
    title: str
    label: str
    common: str
    x_title: str
    y_title: str
    panels: tuple[Panel, ...]
    note: str
    alt: str
    empty: str = ""
    mark: tuple[int, int] | None = None
    panel: str = ""
    mask: str = ""
    facets: Mapping[str, str] = field(default_factory=dict)

    @property
    def richness(self) -> tuple[int, int]:
        """The numbers of panels and cells."""
        return len(self.panels), sum(map(len, self.panels[0].cells))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        cells = self.panels[0].cells
        return len(cells), len(cells[0])

    @property
    def most(self) -> float:
        """The end of the scale that its panels share."""
        return max((each.most for each in self.panels if not each.signed), default=1.0)
