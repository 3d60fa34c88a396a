"""The places of texts and charts on a figure, in inches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from reports.outputs.png.ends import room
from reports.outputs.png.rows import ROW_INCHES, label_inches
from reports.outputs.png.text import LABEL, PLAIN, SMALL, TITLE, height, wrapped
from reports.views.charts.chart import Chart, Map

SLIDE: Final = (13.33, 7.5)
"""Inches of a slide of 16 to 9."""
MOST_ON_ONE: Final = 6
"""Charts of one figure: more could not be read on a slide."""
MOST_LINES: Final = 2
"""Lines of each text above the charts, and of the reasons why lines end."""
MARGIN: Final = 0.25
_LEFT: Final = 0.9
_BOTTOM: Final = 0.72
"""Inches beside and below a chart, for its axes."""
_UNDECIDED: Final = "the fastest; hatched with ? where it is undecided, or another was not reached"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure: its size, its texts, and the room of each chart.

    size           inches
    title, words   the lines above the charts
    stamp          the line below them
    ends           for each chart the lines that say why its lines end
    left, right    inches beside each chart
    head           inches above each chart, for its label and why its lines end
    top, foot      inches above and below all charts
    """

    size: tuple[float, float]
    title: str
    words: tuple[str, ...]
    stamp: str
    ends: tuple[tuple[str, ...], ...]
    columns: int
    rows: int
    left: float
    right: float
    head: float
    top: float
    foot: float

    def box(self, place: int) -> tuple[float, float, float, float]:
        """The axes of a chart: left, bottom, width and height as fractions of the figure.

        Computed here, because an automatic layout draws the figure twice.
        """
        row, column = divmod(place, self.columns)
        wide, high = self._cell
        left = MARGIN + column * wide + self.left
        bottom = self.size[1] - self.top - (row + 1) * high + _BOTTOM
        return (
            left / self.size[0],
            bottom / self.size[1],
            (wide - self.left - self.right) / self.size[0],
            (high - self.head - _BOTTOM) / self.size[1],
        )

    @property
    def _cell(self) -> tuple[float, float]:
        wide = (self.size[0] - 2 * MARGIN) / self.columns
        return wide, (self.size[1] - self.top - self.foot) / self.rows


def sheet(shown: Sequence[Chart | Map], part: str, stamp: str, *, legend_lines: int) -> Sheet:
    """The figure of these charts; with rows of text it is as high as they need."""
    columns = columns_of(shown)
    wide = (SLIDE[0] - 2 * MARGIN) / columns
    inside = SLIDE[0] - 2 * MARGIN
    own = [chart for chart in shown if isinstance(chart, Chart)]
    with_rows = [chart for chart in own if chart.rows]
    left = max(map(label_inches, with_rows), default=_LEFT)
    ends = tuple(tuple(_ends(chart, wide - left)) for chart in shown)
    words = tuple(wrapped(list(_words(shown)), inside, PLAIN, MOST_LINES))
    head = height(1, LABEL) + height(max(map(len, ends)), SMALL) + 0.16
    top = MARGIN + height(1, TITLE) + height(len(words), PLAIN) + 0.1
    foot = MARGIN + height(1, SMALL) + 0.05 + height(legend_lines, PLAIN) * 1.2
    rows = math.ceil(len(shown) / columns)
    size = SLIDE
    if with_rows:
        most = max(len(chart.rows) for chart in with_rows)
        size = (SLIDE[0], top + foot + rows * (head + _BOTTOM + ROW_INCHES * most))
    title = wrapped([f"{shown[0].title}{part}"], inside, TITLE, 1)[0]
    line = wrapped([stamp], inside, SMALL, 1)[0] if stamp else ""
    right = room(own, wide - left)
    return Sheet(size, title, words, line, ends, columns, rows, left, right, head, top, foot)


def columns_of(shown: Sequence[Chart | Map]) -> int:
    """One column for charts with rows of text; else for each mask, if that fills all rows."""
    if any(isinstance(chart, Chart) and chart.rows for chart in shown):
        return 1
    masks = len({chart.mask for chart in shown})
    if 1 < masks <= 3 and len(shown) % masks == 0:
        return masks
    return min(len(shown), 2 if len(shown) == 4 else 3)


def has_bars(chart: Chart | Map) -> TypeGuard[Chart]:
    """Whether a chart shows intervals or spreads."""
    return isinstance(chart, Chart) and any(series.low for series in chart.series)


def _words(shown: Sequence[Chart | Map]) -> Iterator[str]:
    """The texts above all charts of a figure, under its title."""
    if shown[0].common:
        yield shown[0].common
    if any(isinstance(chart, Map) for chart in shown):
        yield _UNDECIDED
    yield from dict.fromkeys(chart.bars for chart in shown if has_bars(chart))


def _ends(chart: Chart | Map, inches: float) -> Iterator[str]:
    """Why lines of a chart end, in lines that fit above it; further ones are counted."""
    if not isinstance(chart, Chart):
        return
    lines = wrapped(chart.ends, inches, SMALL, 1)
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"and {len(lines) - MOST_LINES} more"
