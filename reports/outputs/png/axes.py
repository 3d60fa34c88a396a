"""The inside of one chart: lines and markers, on axes that no few outliers set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from reports.outputs.png.text import PLAIN, width
from reports.views.charts.chart import Chart, Series
from reports.views.charts.clipping import beyond

MARKS: Final[dict[str, str | tuple[tuple[int, int], ...]]] = {
    "circle": "o",
    "square": "s",
    "triangle-up": "^",
    "diamond-tall": "d",
    "x": "X",
    "star": "*",
    "hourglass": ((-1, 1), (1, 1), (-1, -1), (1, -1), (-1, 1)),
}
"""Filled shapes by name; an open one has the same outline."""
OPEN: Final = "-open"
_SIZES: Final = {"star": 10.0, "hourglass": 9.0, "x": 8.0, "diamond-tall": 8.0}
"""Points of the shapes that would look smaller than a circle of 7."""
_LINES: Final = {"solid": "-", "dash": "--", "dot": ":"}
_NUMBERS: Final = FuncFormatter(lambda value, _: f"{value:.12g}")
"""Numbers without exponents, as on the page."""
INK, FAINT = "#1f2328", "#d8dce1"
Caret = Literal[4, 5, 6, 7]
"""Markers of matplotlib that point left, right, up and down."""
_SAME: Final = 1 + 1e-6
"""Values on a logarithmic axis that differ by less are one place: a narrower axis has no width."""
_PADDING: Final = 0.07
"""The share of an axis that is free at each end, so that no point lies on another axis."""


def fill(axes: Axes, chart: Chart) -> None:
    """Draw the series of a chart, its scales and its grid; call `mark_axes` afterwards."""
    sizes = _sizes(chart)
    xs = [*sizes, *(x for series in chart.series for x in series.x)]
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    axes.set_xlim(limits(xs, log=chart.log_x))
    axes.set_ylim(limits(heights(chart), log=chart.log_y))
    for series in chart.series:
        _line(axes, chart, series, sizes)
    axes.grid(visible=True, which="major", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=PLAIN, colors=INK)


def _sizes(chart: Chart) -> list[float]:
    """The sizes of the chart, or those that have a point."""
    marked = [series for series in chart.series if series.drawn != "bare"] or chart.series
    return sorted(chart.sizes or {x for series in marked for x in series.x})


def mark_axes(axes: Axes, chart: Chart, inches: float) -> None:
    """Set the ticks of a chart, after its limits are final.

    inches  width of the axes; sizes whose labels have no room lack every second one
    """
    if chart.names:
        axes.set_xticks(range(len(chart.names)), list(chart.names))
    elif chart.ticks:
        sizes = _sizes(chart)
        wanted = sum(width(f"{size:.12g}", PLAIN) + 0.08 for size in sizes)
        _mark(axes.xaxis, FixedLocator(sizes[:: -(1 + int(wanted > inches))][::-1]))
    elif chart.log_x:
        _mark(axes.xaxis, _locator(*axes.get_xlim()))
    elif chart.rows:
        _mark(axes.xaxis, MaxNLocator(5, steps=[1, 2, 5, 10]))
    if chart.log_y:
        _mark(axes.yaxis, _locator(*axes.get_ylim()))


def _mark(axis: Axis, locator: Locator) -> None:
    """Set the ticks of an axis, with plain numbers."""
    axis.set_major_locator(locator)
    axis.set_major_formatter(_NUMBERS)
    axis.set_minor_locator(NullLocator())


def _locator(low: float, high: float) -> Locator:
    """Ticks of a logarithmic axis: even if it is short, else at 1, 2 and 5, or at powers of 10."""
    if high < 4 * low:
        return MaxNLocator(5, steps=[1, 2, 5, 10])
    return LogLocator(subs=(1.0, 2.0, 5.0) if high < 500 * low else (1.0,), numticks=12)


def heights(chart: Chart) -> list[float]:
    """Every y value of a chart, or the ends of its range; with zero where the axis is linear."""
    found = [y for series in chart.series for y in (*series.y, *series.low, *series.high)]
    found = list(chart.clip or found)
    if chart.log_y:
        return [each for each in found if each > 0]
    return [0.0, *found]


def limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """The ends of an axis: the smallest and the largest value, with a margin at each end."""
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** _PADDING if high > low * _SAME else 2.0
        return low / room, high * room
    room = _PADDING * (high - low) or 1.0
    return low - room, high + room


def _line(axes: Axes, chart: Chart, series: Series, sizes: list[float]) -> None:
    """One series; a line has a gap at sizes without a figure."""
    is_line = series.drawn == "line"
    shown = [inside(chart, y) for y in series.y]
    xs = sizes if is_line else list(series.x)
    ys = _over(sizes, series.x, shown) if is_line else shown
    if series.low:  # one collection is much faster than a bar for each point
        ends = zip(series.x, series.low, series.high, strict=True)
        segments = [[(x, low), (x, high)] for x, low, high in ends]
        bars = LineCollection(segments, colors=series.look.light, linewidths=1.2)
        axes.add_collection(bars, autolim=False)
    # As an artist: axes.plot would recompute the limits with each line.
    axes.add_artist(Line2D(xs, ys, **style(series)))
    for up in (True, False):
        places = list(_cut(chart, series, up=up))
        if places:
            mark_cut(axes, [(x, inside(chart, y)) for x, y in places], series, 6 if up else 7)


def inside(chart: Chart, value: float) -> float:
    """The value, or the end of the range that its axis shows."""
    return value if chart.clip is None else min(max(value, chart.clip[0]), chart.clip[1])


def mark_cut(
    axes: Axes, places: Sequence[tuple[float, float]], series: Series, arrow: Caret
) -> None:
    """Arrows at the edge of the axes, where a point or a bar is beyond them."""
    xs, ys = zip(*places, strict=True)
    line = Line2D(xs, ys, marker=arrow, linestyle="", color=series.look.light, markersize=8)
    axes.add_artist(line)


def _cut(chart: Chart, series: Series, *, up: bool) -> Iterator[tuple[float, float]]:
    """Where a point or the end of a bar is above the range of the axis, or below it."""
    if series.drawn == "bare":
        return
    ends = (series.high if up else series.low) or series.y
    side = 1 if up else -1
    for x, end, y in zip(series.x, ends, series.y, strict=True):
        if side in (beyond(chart, end), beyond(chart, y)):
            yield x, end


def style(series: Series) -> dict[str, Any]:
    """Line properties of a series, on its chart and in the legend."""
    look = series.look
    is_open = look.marker.endswith(OPEN)
    return {
        "color": look.light,
        "marker": "" if series.drawn == "bare" else MARKS[look.marker.removesuffix(OPEN)],
        "linestyle": "" if series.drawn == "points" else _LINES[look.line],
        "markersize": _SIZES.get(look.marker.removesuffix(OPEN), 7.0),
        "markerfacecolor": "white" if is_open else look.light,
        "markeredgecolor": look.light if is_open else "white",
        "markeredgewidth": 1.4 if is_open else 0.6,
        "linewidth": 1.8,
    }


def _over(sizes: list[float], x: Sequence[float], values: Sequence[float]) -> list[float]:
    found = dict(zip(x, values, strict=True))
    return [found.get(size, math.nan) for size in sizes]
