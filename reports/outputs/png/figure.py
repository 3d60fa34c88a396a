"""One figure, of the size of a slide: up to six charts of a family with one legend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeGuard

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.outputs.png.axes import INK, fill, heights, limits, mark_axes, style
from reports.outputs.png.ends import named, places, write_ends
from reports.outputs.png.heats import fill_heat
from reports.outputs.png.icicles import fill_icicle
from reports.outputs.png.rows import fill_rows
from reports.outputs.png.sheet import MARGIN, SLIDE, Sheet, sheet
from reports.outputs.png.text import LABEL, PLAIN, SMALL, TITLE, height, letters, plain, width
from reports.outputs.png.tiles import fill_map
from reports.views.charts.chart import SPANS, STACKED, Chart, Icicle, Map, Shown
from reports.views.charts.heat import Heat

SOFT: Final = "#59636e"
_LABELS: Final = (0.62, 0.45)
"""Inches from the y axis to its title, and from the x axis to its title."""
_KEY_INCHES: Final = 0.6
"""Inches of a legend entry beside its name."""
Keys = dict[str, Artist]
"""Legend entries by name: implementations in order, then lines of no implementation."""


def figure(shown: Sequence[Shown], *, part: str = "", stamp: str = "") -> Figure:
    """Charts of one family side by side.

    part   which of several files this is; empty for one
    stamp  machine, date and versions, at the foot
    """
    keys = _keys(shown)
    across = _across(keys)
    made = sheet(shown, part, stamp, legend_lines=-(-len(keys) // across))
    drawing = Figure(figsize=made.size)
    FigureCanvasAgg(drawing)
    drawn = [drawing.add_axes(made.box(place)) for place in range(len(shown))]
    numbers = {name: place for place, name in enumerate(keys, 1)}
    numbered: set[str] = set()
    for axes, chart in zip(drawn, shown, strict=True):
        numbered |= _fill(axes, chart, made, numbers)
    _same_scales(drawn, shown, made.columns)
    written = _name_ends(drawn, shown, made)
    for place, (axes, chart) in enumerate(zip(drawn, shown, strict=True)):
        _words(axes, chart, made, place)
        if isinstance(chart, Chart):
            mark_axes(axes, chart, made.inches[0])
    _head(drawing, made)
    legend = {name: key for name, key in keys.items() if name not in written}
    said = {f"{numbers[n]}  {n}" if n in numbered else n: key for n, key in legend.items()}
    _legend(drawing, said, across)
    return drawing


def _fill(axes: Axes, chart: Shown, made: Sheet, numbers: Mapping[str, int]) -> set[str]:
    """Draw a chart; the names that a map shows by their numbers."""
    if isinstance(chart, Map):
        return fill_map(axes, chart, made.inches, numbers, made.tile_points)
    if isinstance(chart, Icicle):
        fill_icicle(axes, chart, made.inches)
    elif isinstance(chart, Heat):
        fill_heat(axes, chart)
    elif chart.rows:
        fill_rows(axes, chart)
    else:
        fill(axes, chart)
    return set()


def _same_scales(drawn: Sequence[Axes], shown: Sequence[Shown], columns: int) -> None:
    for first in range(0, len(shown), columns):
        row = slice(first, first + columns)
        _same_heights(drawn[row], shown[row])
    for first in range(columns):
        column = slice(first, None, columns)
        _same_sizes(drawn[column], shown[column])


def _same_heights(drawn: Sequence[Axes], shown: Sequence[Shown]) -> None:
    """One y scale for the charts of a row with axes of one kind; the first one has its labels."""
    own = {axes: chart for axes, chart in zip(drawn, shown, strict=True) if _has_scale(chart)}
    kinds = {chart.log_y for chart in own.values()}
    if len(kinds) == 1:
        every = [value for chart in own.values() for value in heights(chart)]
        for place, axes in enumerate(own):
            axes.set_ylim(limits(every, log=kinds == {True}))
            axes.tick_params(axis="y", labelleft=place == 0)


def _same_sizes(drawn: Sequence[Axes], shown: Sequence[Shown]) -> None:
    """X labels below the last chart of a column only, where all of it have the same limits."""
    if all(map(_has_scale, shown)) and len({axes.get_xlim() for axes in drawn}) == 1:
        for axes in drawn[:-1]:
            axes.tick_params(axis="x", labelbottom=False)


def _has_scale(chart: Shown) -> TypeGuard[Chart]:
    """Whether its y axis is one of numbers."""
    return isinstance(chart, Chart) and not chart.rows


def _words(axes: Axes, chart: Shown, made: Sheet, place: int) -> None:
    """The label of a chart, why its lines end, and the titles of its axes."""
    (wide, high), ends = made.inches, made.ends[place]
    offset = 0.06 + height(len(ends), SMALL)
    points = LABEL if width(chart.label, LABEL) < wide + made.right else SMALL
    label = plain(chart.label, letters(wide + made.right, points))
    # With coordinates: placing a title automatically would lay out each chart twice.
    axes.set_title(label, fontsize=points, color=INK, loc="left", y=1 + offset / high, pad=0)
    if ends:
        axes.text(
            0,
            1 + 0.04 / high,
            "\n".join(ends),
            fontsize=SMALL,
            color=SOFT,
            transform=axes.transAxes,
            va="bottom",
        )
    axes.yaxis.set_label_coords(-_LABELS[0] / wide, 0.5)
    axes.xaxis.set_label_coords(0.5, -_LABELS[1] / high)
    if place % made.columns == 0:
        axes.set_ylabel(plain(chart.y_title), fontsize=PLAIN, color=INK)
    if made.is_last_of_column(place) or not _has_scale(chart):
        axes.set_xlabel(plain(chart.x_title), fontsize=PLAIN, color=INK)


def _head(drawing: Figure, made: Sheet) -> None:
    """Title and words above the charts, and the stamp at the foot."""
    wide, high = made.size
    left, top = MARGIN / wide, 1 - MARGIN / high
    below = top - height(1, TITLE) / high
    words, stamp = "\n".join(made.words), made.stamp
    drawing.text(left, top, made.title, fontsize=TITLE, color=INK, va="top")
    drawing.text(left, below, words, fontsize=PLAIN, color=SOFT, va="top")
    drawing.text(left, 0.6 * MARGIN / high, stamp, fontsize=SMALL, color=SOFT, va="bottom")


def _name_ends(drawn: Sequence[Axes], shown: Sequence[Shown], made: Sheet) -> set[str]:
    """Write names at the ends of lines; those that every chart with their line has room for."""
    lacking, written = set[str](), set[str]()
    for axes, chart in zip(drawn, shown, strict=True):
        if _has_scale(chart):
            found = places(axes, chart, made.inches, made.right)
            write_ends(axes, chart, found, made.inches)
            written |= {plain(name) for name in found}
            lacking |= {plain(each.name) for each in named(chart) if each.name not in found}
    return written - lacking


def _keys(shown: Sequence[Shown]) -> Keys:
    """Legend entries: implementations by name, then lines of no implementation."""
    found = [key for chart in shown for key in _keys_of(chart)]
    found.sort(key=lambda key: (0, key[1]) if key[0] else (1, ""))
    return {plain(name): artist for _, name, artist in found}


def _keys_of(chart: Shown) -> Iterator[tuple[str, str, Artist]]:
    """Legend entries of a chart: implementation, name and artist.

    Beside rows of text only those of bars, in their order.
    """
    if isinstance(chart, Map):
        for tile in chart.tiles:
            yield tile.name, tile.name, Patch(facecolor=chart.looks[tile.name].light)
    elif isinstance(chart, Icicle):
        for name, look in chart.legend:
            yield "", name, Patch(facecolor=look.light)
    elif isinstance(chart, Heat):
        return
    elif chart.rows:
        for series in chart.series:
            if series.drawn in (STACKED, SPANS):
                yield series.implementation, series.name, Patch(facecolor=series.look.light)
    else:
        for series in chart.series:
            yield series.implementation, series.name, Line2D([], [], **style(series))


def _across(keys: Keys) -> int:
    """Names on one line of the legend."""
    longest = max((width(name, PLAIN) for name in keys), default=1.0)
    return max(1, min(len(keys), int(SLIDE[0] / (_KEY_INCHES + longest))))


def _legend(drawing: Figure, keys: Keys, across: int) -> None:
    if keys:
        drawing.legend(
            list(keys.values()),
            list(keys),
            loc="lower left",
            bbox_to_anchor=(
                MARGIN / SLIDE[0],
                (MARGIN + height(1, SMALL)) / drawing.get_size_inches()[1],
            ),
            ncols=across,
            fontsize=PLAIN,
            frameon=False,
            borderaxespad=0,
        )
