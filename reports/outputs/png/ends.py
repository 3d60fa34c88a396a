"""Names at the ends of lines, shifted apart, where they have room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


Place = tuple[float, float]
"""Inches from the lower left corner of the axes."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that stands right of its place."""

    series: Series
    place: Place

    def covers(self, other: Place) -> bool:
        """Whether the name is upon another place, or upon a name that begins there."""
        (x, y), (other_x, other_y) = self.place, other
        right = x + _GAP + width(self.series.name, SMALL)
        return x < other_x < right and abs(y - other_y) < height(1, SMALL)

    def fits(self, inches: float) -> bool:
        """Whether the name ends before so many inches."""
        return self.place[0] + _GAP + width(self.series.name, SMALL) <= inches


def room(charts: Iterable[Chart], inches: float) -> float:
    """Inches to keep right of each chart for names; 0 where they would take too much."""
    names = [series.name for chart in charts for series in named(chart)]
    longest = max(map(len, names), default=0)
    wanted = _GAP + 0.1 + width("x" * longest, SMALL)
    return wanted if 0 < longest <= MOST_LETTERS and wanted <= MOST_SHARE * inches else 0.0


def named(chart: Chart) -> list[Series]:
    """The series that have a name at their end: those of implementations."""
    return [] if chart.rows else [each for each in chart.series if each.implementation and each.x]


def places(axes: Axes, chart: Chart, size: tuple[float, float], margin: float) -> dict[str, Place]:
    """Where names stand, by series: those that have room.

    size    inches of the axes, whose limits are final
    margin  inches right of the axes

    Names of lines that end at one size are shifted apart. None of them is written where one would
    be far from its line, beyond the margin, or upon a point or a name right of it.
    """
    shown = {each.name: _points(axes, chart, each, size) for each in named(chart)}
    ends: dict[float, list[Series]] = {}
    for series in named(chart):
        ends.setdefault(shown[series.name][-1][0], []).append(series)
    taken = [place for own in shown.values() for place in own]
    found: dict[str, Place] = {}
    for x, own in sorted(ends.items(), reverse=True):
        wanted = [shown[each.name][-1][1] for each in own]
        spread = spread_out(wanted, height(1, SMALL), size[1]) or []
        names = [_Name(each, (x, y)) for each, y in zip(own, spread, strict=bool(spread))]
        if all(each.fits(size[0] + margin) for each in names) and not any(
            each.covers(place) for each in names for place in (*taken, *found.values())
        ):
            found |= {each.series.name: each.place for each in names}
    return found


def write_ends(
    axes: Axes, chart: Chart, at: Mapping[str, Place], size: tuple[float, float]
) -> None:
    """Write names at their places, each with a line from its last point."""
    for series in named(chart):
        if series.name in at:
            x, y = at[series.name]
            axes.annotate(
                plain(series.name),
                xy=(series.x[-1], inside(chart, series.y[-1])),
                xytext=((x + _GAP) / size[0], y / size[1]),
                textcoords="axes fraction",
                va="center",
                fontsize=SMALL,
                color=INK,
                arrowprops={**_LEADERS, "color": series.look.light},
                annotation_clip=False,
            )


def _points(axes: Axes, chart: Chart, series: Series, size: tuple[float, float]) -> list[Place]:
    """The points of a series; a clipped one at the edge of its axes."""
    data = [(x, inside(chart, y)) for x, y in zip(series.x, series.y, strict=True)]
    shares = (axes.transScale + axes.transLimits).transform(data)
    return [(float(x) * size[0], float(y) * size[1]) for x, y in shares]


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
