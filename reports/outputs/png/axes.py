"""The inside of one chart on a PNG: lines and markers, or tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from reports.outputs.png.text import LETTER_INCHES, MOST_LINES, plain
from reports.views.charts.chart import Chart, Map, Series

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
_LINES: Final = {"solid": "-", "dash": "--", "dot": ":"}
_NUMBERS: Final = FuncFormatter(lambda value, _: f"{value:.12g}")
"""Numbers without exponents, as on the page."""
INK, FAINT = "#1f2328", "#d8dce1"
_SMALLER: Final = 0.8
"""Size of letters in a tile, relative to those around the charts."""
_SAME: Final = 1 + 1e-6
"""Values on a logarithmic axis that differ by less are one place: a narrower axis has no width."""
INCHES: Final = (4.1, 3.0)
"""Width and height of one chart, without its margins."""


def fill(axes: Axes, chart: Chart) -> None:
    """Draw the series of a chart, its scales and its grid; call `mark_axes` afterwards."""
    sizes = _sizes(chart)
    xs = [*sizes, *(x for series in chart.series for x in series.x)]
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    axes.set_xlim(limits(xs, log=chart.log_x))
    axes.set_ylim(limits(_heights(chart), log=chart.log_y))
    for series in chart.series:
        _line(axes, series, sizes)
    axes.grid(visible=True, which="major", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=INK, labelrotation=0)
    if chart.ticks and len(sizes) > 9:
        axes.tick_params(axis="x", labelrotation=45)


def _sizes(chart: Chart) -> list[float]:
    """The sizes of the chart, or those that have a point."""
    marked = [series for series in chart.series if series.drawn != "bare"] or chart.series
    return sorted(chart.sizes or {x for series in marked for x in series.x})


def mark_axes(axes: Axes, chart: Chart) -> None:
    """Set the ticks of a chart, after its limits are final."""
    if chart.ticks:
        _mark(axes.xaxis, FixedLocator(_sizes(chart)))
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


def _heights(chart: Chart) -> list[float]:
    """Every y value of a chart; with zero where the axis is linear."""
    found = [y for series in chart.series for y in (*series.y, *series.low, *series.high)]
    return found if chart.log_y else [0.0, *found]


def limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """The ends of an axis: from the smallest to the largest, with a margin, except at zero."""
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** 0.05 if high > low * _SAME else 2.0
        return low / room, high * room
    room = 0.05 * (high - low) or 1.0
    return low - (room if low else 0.0), high + room


def fill_map(axes: Axes, chart: Map) -> None:
    """A tile for each problem, in the colour of the fastest; hatched where undecided."""
    xs, ys = (sorted({getattr(tile, axis) for tile in chart.tiles}) for axis in "xy")
    most = max(3, int(INCHES[0] / len(xs) / (LETTER_INCHES * _SMALLER)))
    for tile in chart.tiles:
        colour = chart.looks[tile.name].light
        x, y = xs.index(tile.x), ys.index(tile.y)
        box = Rectangle(
            (x - 0.48, y - 0.48),
            0.96,
            0.96,
            facecolor="white" if tile.undecided else colour,
            edgecolor=colour,
            hatch="//" if tile.undecided else None,
            linewidth=0.5,
        )
        axes.add_patch(box)
        shown = _in_tile(f"{tile.name} ?" if tile.undecided else tile.name, most)
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if tile.undecided else None
        ink = INK if tile.undecided else "white"
        axes.text(x, y, shown, ha="center", va="center", fontsize=8, color=ink, bbox=behind)
    axes.set_xlim(-0.5, len(xs) - 0.5)
    axes.set_ylim(-0.5, len(ys) - 0.5)
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=INK, length=0)


def _in_tile(name: str, most: int) -> str:
    """A name broken at its separators into lines of at most `most` letters; empty if too long."""
    parts = wrap(name.replace("_", "_ "), most, break_long_words=False)
    lines = parts if len(name) > most else [name]
    joined = [line.replace("_ ", "_") for line in lines]
    fits = len(joined) <= MOST_LINES and all(len(line) <= most for line in joined)
    return "\n".join(map(plain, joined)) if fits else ""


def _line(axes: Axes, series: Series, sizes: list[float]) -> None:
    """One series; a line has a gap at sizes without a figure."""
    is_line = series.drawn == "line"
    xs = sizes if is_line else list(series.x)
    ys = _over(sizes, series.x, series.y) if is_line else list(series.y)
    if series.low:  # one collection is much faster than a bar for each point
        ends = zip(series.x, series.low, series.high, strict=True)
        segments = [[(x, low), (x, high)] for x, low, high in ends]
        bars = LineCollection(segments, colors=series.look.light, linewidths=1.2)
        axes.add_collection(bars, autolim=False)
    # As an artist: axes.plot would recompute the limits with each line.
    axes.add_artist(Line2D(xs, ys, **style(series)))


def style(series: Series) -> dict[str, Any]:
    """Line properties of a series, on its chart and in the legend."""
    look = series.look
    is_open = look.marker.endswith(OPEN)
    return {
        "color": look.light,
        "marker": "" if series.drawn == "bare" else MARKS[look.marker.removesuffix(OPEN)],
        "linestyle": "" if series.drawn == "points" else _LINES[look.line],
        "markersize": 7,
        "markerfacecolor": "white" if is_open else look.light,
        "markeredgecolor": look.light if is_open else "white",
        "markeredgewidth": 1.4 if is_open else 0.6,
        "linewidth": 1.8,
    }


def _over(sizes: list[float], x: Sequence[float], values: Sequence[float]) -> list[float]:
    found = dict(zip(x, values, strict=True))
    return [found.get(size, math.nan) for size in sizes]
