"""The places of texts and charts on a figure, in inches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from reports.outputs.png.ends import room
from reports.outputs.png.heats import HEAT_INCHES
from reports.outputs.png.icicles import LEVEL_INCHES, levels
from reports.outputs.png.rows import ROW_INCHES, label_inches
from reports.outputs.png.text import LABEL, PLAIN, SMALL, TITLE, height, wrapped
from reports.outputs.png.tiles import tile_points
from reports.views.charts.chart import Chart, Icicle, Map, Shown
from reports.views.charts.heat import Heat

SLIDE: Final = (13.33, 7.5)
"""Inches of a slide of 16 to 9."""
MOST_ON_ONE: Final = 6
"""Charts of one figure: more could not be read on a slide."""
MOST_LINES: Final = 2
"""Lines of each text above the charts."""
_MOST_REASONS: Final = 3
"""Lines that say why the lines of a chart end."""
MARGIN: Final = 0.25
_LEFT: Final = 0.9
"""Inches left of the first chart of a row, for its y axis and the title of that."""
_GAP: Final = 0.45
"""Inches left of the others: they share its y axis, or have short labels."""
_BELOW: Final = 0.42
"""Inches below a chart, for the labels of its x axis."""
_TITLES: Final = 0.3
"""Inches below the last row besides, for the titles of its x axes."""
_UNDECIDED: Final = "the fastest; hatched with ? where it is undecided, or another was not reached"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure: its size, its texts, and the room of each chart.

    size           inches
    title, words   the lines above the charts
    stamp          the line below them
    ends           for each chart the lines that say why its lines end
    left           inches left of the first chart of a row
    right          inches right of each chart, for names at the ends of lines
    head           inches above each chart, for its label and why its lines end
    top, foot      inches above and below all charts
    tile_points    size of the text in tiles
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
    tile_points: float

    @property
    def inches(self) -> tuple[float, float]:
        """Width and height of the inside of each chart."""
        wide = self.size[0] - 2 * MARGIN - self.left - _GAP * (self.columns - 1)
        high = self.size[1] - self.top - self.foot - _TITLES
        return (
            wide / self.columns - self.right,
            high / self.rows - self.head - _BELOW,
        )

    def is_last_of_column(self, place: int) -> bool:
        """Whether no chart is below it."""
        return place + self.columns >= len(self.ends)

    def box(self, place: int) -> tuple[float, float, float, float]:
        """The axes of a chart: left, bottom, width and height as fractions of the figure.

        Computed here, because an automatic layout draws the figure twice.
        """
        row, column = divmod(place, self.columns)
        wide, high = self.inches
        left = MARGIN + self.left + column * (wide + self.right + _GAP)
        bottom = self.size[1] - self.top - (row + 1) * (self.head + high) - row * _BELOW
        return left / self.size[0], bottom / self.size[1], wide / self.size[0], high / self.size[1]


def sheet(shown: Sequence[Shown], part: str, stamp: str, *, legend_lines: int) -> Sheet:
    """The figure of these charts; with rows of text it is as high as they need."""
    columns = columns_of(shown)
    inside = SLIDE[0] - 2 * MARGIN
    own = [chart for chart in shown if isinstance(chart, Chart)]
    with_rows = [chart for chart in own if chart.rows]
    icicles = [chart for chart in shown if isinstance(chart, Icicle)]
    left = max(map(label_inches, with_rows), default=0.0 if icicles else _LEFT)
    wide = (inside - left - _GAP * (columns - 1)) / columns
    ends = tuple(tuple(_ends(chart, wide)) for chart in shown)
    words = tuple(wrapped(list(_words(shown)), inside, PLAIN, MOST_LINES))
    made = Sheet(
        size=SLIDE,
        title=wrapped([f"{shown[0].title}{part}"], inside, TITLE, 1)[0],
        words=words,
        stamp="".join(wrapped([stamp], inside, SMALL, 1)),
        ends=ends,
        columns=columns,
        rows=math.ceil(len(shown) / columns),
        left=left,
        right=room(own, wide),
        head=height(1, LABEL) + height(max(map(len, ends)), SMALL) + 0.12,
        top=MARGIN + height(1, TITLE) + height(len(words), PLAIN) + 0.1,
        foot=MARGIN + height(1, SMALL) + 0.05 + height(legend_lines, PLAIN) * 1.2,
        tile_points=SMALL,
    )
    if with_rows:
        return _as_high(made, ROW_INCHES * max(len(chart.rows) for chart in with_rows))
    if icicles:
        return _as_high(made, LEVEL_INCHES * max(map(levels, icicles)))
    if any(isinstance(chart, Heat) for chart in shown):
        return _as_high(made, HEAT_INCHES)
    maps = [chart for chart in shown if isinstance(chart, Map)]
    return replace(made, tile_points=tile_points(maps, made.inches))


def _as_high(made: Sheet, inches: float) -> Sheet:
    """As high as charts of so many inches inside need."""
    each = made.head + _BELOW + _TITLES + inches
    return replace(made, size=(SLIDE[0], made.top + made.foot + _TITLES + made.rows * each))


def columns_of(shown: Sequence[Shown]) -> int:
    """One column for charts with rows, icicles and heat maps; else for each mask, if that fits."""
    if any(
        isinstance(each, Icicle | Heat) or (isinstance(each, Chart) and each.rows) for each in shown
    ):
        return 1
    masks = len({chart.mask for chart in shown if not isinstance(chart, Icicle)})
    if 1 < masks <= 3 and len(shown) % masks == 0:
        return masks
    return min(len(shown), 2 if len(shown) == 4 else 3)


def has_bars(chart: Shown) -> TypeGuard[Chart]:
    """Whether a chart shows intervals or spreads."""
    return isinstance(chart, Chart) and any(series.low for series in chart.series)


def _words(shown: Sequence[Shown]) -> Iterator[str]:
    """The texts above all charts of a figure, under its title."""
    if shown[0].common:
        yield shown[0].common
    if any(isinstance(chart, Map) for chart in shown):
        yield _UNDECIDED
    yield from dict.fromkeys(chart.bars for chart in shown if has_bars(chart))


def _ends(chart: Shown, inches: float) -> Iterator[str]:
    """Why lines of a chart end, in a few lines above it."""
    if isinstance(chart, Chart):
        yield from wrapped(["; ".join(chart.ends)], inches, SMALL, _MOST_REASONS)
