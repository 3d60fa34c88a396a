"""The inside of one chart whose y axis has rows of text: a point with its interval on each."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from reports.outputs.png.axes import FAINT, INK, limits, style
from reports.outputs.png.text import LETTER_INCHES, plain
from reports.views.charts.chart import Chart, Series

ROW_INCHES: Final = 0.42
"""Height of one row, with its two lines of text."""


def fill_rows(axes: Axes, chart: Chart) -> None:
    """Draw the points of a chart with rows, the first row at the top."""
    if chart.log_x:
        axes.set_xscale("log")
    axes.set_xlim(limits(_across(chart), log=chart.log_x))
    axes.set_ylim(len(chart.rows) - 0.5, -0.5)
    for series in chart.series:
        _interval(axes, series)
        axes.add_artist(Line2D(series.x, series.y, **style(series)))
    axes.set_yticks(range(len(chart.rows)), ["\n".join(_lines(row)) for row in chart.rows])
    axes.grid(visible=True, which="major", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    axes.tick_params(axis="y", length=0)


def label_inches(chart: Chart) -> float:
    """Width of the texts beside the points."""
    longest = max(len(line) for row in chart.rows for line in _lines(row))
    return LETTER_INCHES * longest + 0.2


def _interval(axes: Axes, series: Series) -> None:
    ends = zip(series.y, series.low, series.high, strict=False)
    segments = [[(low, y), (high, y)] for y, low, high in ends]
    bars = LineCollection(segments, colors=series.look.light, linewidths=2)
    axes.add_collection(bars, autolim=False)


def _across(chart: Chart) -> list[float]:
    return [x for series in chart.series for x in (*series.x, *series.low, *series.high)]


def _lines(row: str) -> list[str]:
    return [plain(line) for line in row.split("\n")]
