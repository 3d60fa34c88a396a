"""Names at the ends of lines, shifted apart; none where they have no room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from reports.outputs.png.axes import INK, inside
from reports.outputs.png.text import SMALL, height, plain, width
from reports.views.charts.chart import Chart, Series

MOST_LETTERS: Final = 26
"""Letters of a name at the end of a line; the legend shows longer ones."""
MOST_SHARE: Final = 0.36
"""The share of a chart's width that names right of it may take."""
_GAP: Final = 0.12
"""Inches from the end of a line to its name."""
_MOST_SHIFT: Final = 6.0
"""Heights of a line that a name may be away from the end of its line."""
_LEADERS: Final = {"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3}


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a line, in inches from the lower left corner of its axes."""

    series: Series
    x: float
    y: float

    @property
    def right(self) -> float:
        return self.x + _GAP + width(self.series.name, SMALL)


def room(charts: Iterable[Chart], inches: float) -> float:
    """Inches to keep right of each chart for names; 0 where they would take too much."""
    names = [series.name for chart in charts for series in named(chart)]
    longest = max(map(len, names), default=0)
    wanted = _GAP + 0.1 + width("x" * longest, SMALL)
    return wanted if 0 < longest <= MOST_LETTERS and wanted <= MOST_SHARE * inches else 0.0


def named(chart: Chart) -> list[Series]:
    """The series that have a name at their end: those of implementations."""
    return [] if chart.rows else [each for each in chart.series if each.implementation and each.x]


def places(
    axes: Axes, chart: Chart, size: tuple[float, float], margin: float
) -> list[tuple[float, float]] | None:
    """Where the name of each series stands, in shares of the axes; None without room for all.

    size    inches of the axes, whose limits are final
    margin  inches right of the axes
    """
    ends = [_end(axes, series, size) for series in named(chart)]
    heights = _heights(ends, size, margin)
    if heights is None:
        return None
    return [((end.x + _GAP) / size[0], y / size[1]) for end, y in zip(ends, heights, strict=True)]


def write_ends(axes: Axes, chart: Chart, at: Sequence[tuple[float, float]]) -> None:
    """Write the name of each series at its place, with a line from the last point."""
    for series, place in zip(named(chart), at, strict=True):
        axes.annotate(
            plain(series.name),
            xy=(series.x[-1], inside(chart, series.y[-1])),
            xytext=place,
            textcoords="axes fraction",
            va="center",
            fontsize=SMALL,
            color=INK,
            arrowprops={**_LEADERS, "color": series.look.light},
            annotation_clip=False,
        )


def _end(axes: Axes, series: Series, size: tuple[float, float]) -> _End:
    """The last point of a series; of a clipped one the edge of its axes."""
    place = (axes.transScale + axes.transLimits).transform((series.x[-1], series.y[-1]))
    x, y = map(float, place)
    return _End(series, x * size[0], min(max(y, 0.0), 1.0) * size[1])


def _heights(ends: Sequence[_End], size: tuple[float, float], margin: float) -> list[float] | None:
    """The height of each name: those of lines that end at one place are shifted apart.

    None where a name would be far from its line, or beyond the margin, or upon another one.
    """
    if any(end.right > size[0] + margin for end in ends):
        return None
    found = [0.0] * len(ends)
    for x in {end.x for end in ends}:
        own = [place for place, end in enumerate(ends) if end.x == x]
        spread = spread_out([ends[place].y for place in own], height(1, SMALL), size[1])
        if spread is None:
            return None
        for place, y in zip(own, spread, strict=True):
            found[place] = y
    return None if _is_crowded(ends, found) else found


def spread_out(wanted: Sequence[float], least: float, most: float) -> list[float] | None:
    """Heights in the order of the wanted ones, `least` apart and between 0 and `most`.

    The sum of the squares of their shifts is least. None where there is no room, or where a shift
    is too large.
    """
    if least * len(wanted) > most:
        return None
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    free = [wanted[place] - least * rank for rank, place in enumerate(order)]
    moved = isotonic_regression(free).x.clip(least / 2, most - least * (len(order) - 0.5))
    found = [0.0] * len(wanted)
    for rank, place in enumerate(order):
        found[place] = float(moved[rank]) + least * rank
    far = max(abs(one - other) for one, other in zip(found, wanted, strict=True))
    return found if far <= _MOST_SHIFT * least else None


def _is_crowded(ends: Sequence[_End], places: Sequence[float]) -> bool:
    """Whether a name is upon that of a line that ends elsewhere."""
    boxes = list(zip(ends, places, strict=True))
    return any(
        abs(y - other_y) < height(1, SMALL) and end.x < other.x < end.right
        for end, y in boxes
        for other, other_y in boxes
    )
