"""The part of an axis that a chart shows where a few values lie far from the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reports.views.charts.chart import Chart, Series
from reports.views.text import counted

Range = tuple[float, float]

FAR: Final = 3.0
"""Interquartile ranges beyond the quartiles: the "far out" fence of Tukey (1977), chapter 2."""
FEWEST: Final = 8
"""Points that quartiles are taken of; with fewer, every point is shown."""
MOST_BEYOND: Final = 0.1
"""The share of points that may be cut off; with more, they are not a few outliers."""
_LEAST_RATIO: Final = 2.0
"""On a logarithmic axis, values within this ratio are never far apart."""
_LEAST_SHARE: Final = 0.1
"""On a linear axis, values within this share of the largest are never far apart."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values as they lie on an axis: logarithms, or the numbers themselves."""

    log: bool

    def to(self, value: float) -> float:
        return math.log(value) if self.log else value

    def back(self, place: float) -> float:
        return math.exp(place) if self.log else place

    def least(self, places: Sequence[float]) -> float:
        """The distance below which places are never far apart."""
        if self.log:
            return math.log(_LEAST_RATIO)
        return _LEAST_SHARE * max(map(abs, places)) or 1.0


def clipped(chart: Chart) -> Chart:
    """The chart with the range of its axis, and the values beyond it named in note and texts.

    The axis is that of the bars. Every point is in its range, unless a tenth of them or fewer are
    far out. Bars extend it by half the range of the points, or as far as three quarters of the
    bars need. Without a value beyond it the chart is unchanged.
    """
    axis = _Axis(chart.log_x if chart.rows else chart.log_y)
    own = [series for series in chart.series if series.drawn != "bare"]
    points = [axis.to(each) for series in own for each in _values(chart, series)]
    ends = [(axis.to(low), axis.to(high)) for series in own for low, high in _ends(series, axis)]
    if not points:
        return chart
    low, high = _shown(points, ends, axis.least(points))
    if low <= min([*points, *(end for end, _ in ends)]) and high >= max(
        [*points, *(end for _, end in ends)]
    ):
        return chart
    return _marked(replace(chart, clip=(axis.back(low), axis.back(high))))


def beyond(chart: Chart, value: float) -> int:
    """-1 below the range that the chart shows, 1 above it, 0 within."""
    if chart.clip is None:
        return 0
    low, high = chart.clip
    return int(value > high) - int(value < low)


def _values(chart: Chart, series: Series) -> tuple[float, ...]:
    """The values of a series on the axis of the bars."""
    return series.x if chart.rows else series.y


def _ends(series: Series, axis: _Axis) -> Iterator[Range]:
    """The ends of the bars; one that a logarithmic axis cannot show has no part in its range."""
    for low, high in zip(series.low, series.high, strict=True):
        if not axis.log or low > 0:
            yield low, high


def _shown(points: Sequence[float], ends: Sequence[Range], least: float) -> Range:
    inside = _not_far_out(points, least)
    low, high = min(inside), max(inside)
    overshoots = [max(low - first, last - high, 0.0) for first, last in ends]
    usual = float(np.quantile(overshoots, 0.75)) if overshoots else 0.0
    reach = max(max(high - low, least) / 2, usual)
    lowest = min([low, *(first for first, _ in ends)])
    highest = max([high, *(last for _, last in ends)])
    return max(lowest, low - reach), min(highest, high + reach)


def _not_far_out(points: Sequence[float], least: float) -> list[float]:
    """The points between the fences; all of them where more than a few are beyond."""
    if len(points) < FEWEST:
        return list(points)
    first, third = np.quantile(points, (0.25, 0.75))
    reach = FAR * max(third - first, least)
    inside = [each for each in points if first - reach <= each <= third + reach]
    few = len(points) - len(inside) <= MOST_BEYOND * len(points)
    return inside if few else list(points)


def _marked(chart: Chart) -> Chart:
    """With texts of points that say where a value is beyond the axis, and a count in the note."""
    series = tuple(replace(each, hover=tuple(_texts(chart, each))) for each in chart.series)
    own = [each for each in chart.series if each.drawn != "bare"]
    points = sum(beyond(chart, value) != 0 for each in own for value in _values(chart, each))
    bars = sum(
        beyond(chart, low) < 0 or beyond(chart, high) > 0
        for each in own
        for low, high in zip(each.low, each.high, strict=True)
    )
    return replace(chart, series=series, note=" ".join((chart.note, *_said(points, bars))))


def _texts(chart: Chart, series: Series) -> Iterable[str]:
    words = {0: "", 1: "\nabove the axis", -1: "\nbelow the axis"}
    if chart.rows:
        words = {0: "", 1: "\nright of the axis", -1: "\nleft of the axis"}
    for text, value in zip(series.hover, _values(chart, series), strict=True):
        yield text + (words[beyond(chart, value)] if series.drawn != "bare" else "")


def _said(points: int, bars: int) -> Iterator[str]:
    if points:
        verb = "lies" if points == 1 else "lie"
        yield f"{counted(points, 'point')} {verb} beyond the axis: an arrow at its edge."
    if bars:
        verb = "extends" if bars == 1 else "extend"
        yield f"{counted(bars, 'bar')} {verb} beyond the axis."
