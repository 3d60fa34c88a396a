"""The inside of one chart whose y axis has rows of text: a point or bars on each."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from reports.outputs.png.axes import FAINT, INK, inside, limits, mark_cut, style
from reports.outputs.png.text import PLAIN, plain, width
from reports.views.charts.chart import SPANS, STACKED, Chart, Series

_THICK: Final = 0.62
"""The share of a row that a bar takes."""
ROW_INCHES: Final = 0.46
"""Height of one row, with its two lines of text."""


def fill_rows(axes: Axes, chart: Chart) -> None:
    """Draw the points of a chart with rows, the first row at the top."""
    if chart.log_x:
        axes.set_xscale("log")
    axes.set_xlim(limits(_across(chart), log=chart.log_x))
    axes.set_ylim(len(chart.rows) - 0.5, -0.5)
    ends = [0.0] * len(chart.rows)
    for series in chart.series:
        if series.drawn == STACKED:
            ends = _bars(axes, series, ends)
            continue
        if series.drawn == SPANS:
            _spans(axes, series)
            continue
        _interval(axes, chart, series)
        axes.add_artist(Line2D(series.x, series.y, **style(series)))
    axes.set_yticks(range(len(chart.rows)), ["\n".join(_lines(row)) for row in chart.rows])
    axes.grid(visible=True, which="major", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=PLAIN, colors=INK)
    axes.tick_params(axis="y", length=0)


def _bars(axes: Axes, series: Series, starts: list[float]) -> list[float]:
    """The bars of a series from where those before it end; where they end."""
    axes.barh(
        series.y, series.x, left=starts, height=_THICK, color=series.look.light, edgecolor="white"
    )
    return [start + x for start, x in zip(starts, series.x, strict=True)]


def _spans(axes: Axes, series: Series) -> None:
    """The bars of a series from one value to another."""
    long = [high - low for low, high in zip(series.low, series.high, strict=True)]
    axes.barh(
        series.y, long, left=series.low, height=_THICK, color=series.look.light, edgecolor="white"
    )


def label_inches(chart: Chart) -> float:
    """Width of the texts beside the points."""
    return max(width(line, PLAIN) for row in chart.rows for line in _lines(row)) + 0.2


def _interval(axes: Axes, chart: Chart, series: Series) -> None:
    """The bar of a point, with an arrow where it is cut at an end of the axis."""
    for y, low, high in zip(series.y, series.low, series.high, strict=False):
        ends = (inside(chart, low), inside(chart, high))
        segments = LineCollection([[(end, y) for end in ends]], colors=series.look.light)
        segments.set_linewidth(2.2)
        axes.add_collection(segments, autolim=False)
        if ends[0] != low:
            mark_cut(axes, [(ends[0], y)], series, 4)
        if ends[1] != high:
            mark_cut(axes, [(ends[1], y)], series, 5)


def _across(chart: Chart) -> list[float]:
    """The values along x, or the ends of the range that is shown."""
    points = [x for series in chart.series for x in series.x]
    ends = [x for series in chart.series for x in (*series.low, *series.high)]
    return [*_stack_ends(chart), *points, *(chart.clip or ends)]


def _stack_ends(chart: Chart) -> list[float]:
    """Zero, and where the bars of each row end; empty without bars."""
    ends: dict[float, float] = {}
    for series in chart.series:
        if series.drawn == STACKED:
            for x, y in zip(series.x, series.y, strict=True):
                ends[y] = ends.get(y, 0.0) + x
    return [0.0, *ends.values()] if ends else []


def _lines(row: str) -> list[str]:
    return [plain(line) for line in row.split("\n")]
