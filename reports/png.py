"""Chart descriptions to PNG files: one of small multiples for each family of charts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from reports.series import Chart, Series
from reports.words import abbreviated

MOST_ON_ONE: Final = 24
"""A file holds so many small multiples at most; the page holds all."""
_MARKERS: Final = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "cross": "P",
    "x": "X",
}
_LINES: Final = {"solid": "-", "dash": "--", "dot": ":"}
_MARK: Final = "\N{REPLACEMENT CHARACTER}"
_INK, _FAINT = "#1f2328", "#d8dce1"
_INCHES: Final = (4.6, 3.3)
_LETTER_INCHES: Final = 0.085
MOST_LINES: Final = 3
"""Of what all charts of a file have in common."""
MOST_LETTERS: Final = 64
"""A longer name is abbreviated: a legend is as wide as its chart."""


def draw(charts: Iterable[Chart], folder: Path) -> list[Path]:
    """Write one PNG per family into a folder that exists, and tell which."""
    written = []
    for key, family in groupby(charts, lambda chart: chart.key):
        path = folder / f"{key}.png"
        drawing = figure(list(family))
        if engine := drawing.get_layout_engine():
            engine.execute(drawing)
            drawing.set_layout_engine("none")  # laid out; else saving draws everything twice
        drawing.savefig(path, dpi=120, facecolor="white")
        written.append(path)
    return written


def figure(family: list[Chart]) -> Figure:
    """The charts of one family side by side, with one legend for all."""
    shown = family[:MOST_ON_ONE]
    columns = _columns(shown)
    rows = math.ceil(len(shown) / columns)
    names = sorted({_plain(series.name) for chart in shown for series in chart.series})
    width = max(_INCHES[0] * columns, 6.4)
    across = max(1, int(width / (0.55 + _LETTER_INCHES * max(map(len, names)))))
    head = 0.95 + 0.25 * math.ceil(len(names) / across)
    drawing = Figure(figsize=(width, _INCHES[1] * rows + head), layout="constrained")
    FigureCanvasAgg(drawing)
    grid = drawing.subplots(rows, columns, squeeze=False, sharey="row")
    places = list(grid.flat)
    for axes, chart in zip(places, shown, strict=False):
        _fill(axes, chart)
    for axes in places[len(shown) :]:
        axes.set_axis_off()
    _label_outer(places, shown, columns)
    _head(drawing, family, shown)
    _legend(drawing, places, across)
    return drawing


def _columns(shown: list[Chart]) -> int:
    """One column a mask where that makes whole rows, else up to three."""
    masks = len({chart.mask for chart in shown})
    if 1 < masks <= 4 and len(shown) % masks == 0:
        return masks
    return min(3, len(shown))


def _fill(axes: Axes, chart: Chart) -> None:
    sizes = sorted({x for series in chart.series for x in series.x})
    for series in chart.series:
        _line(axes, series, sizes)
    if chart.log_x:
        axes.set_xscale("log", base=2)
    if chart.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=_steps(chart), numticks=12))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(_plain(chart.label), fontsize=10, color=_INK, loc="left")
    axes.grid(visible=True, which="major", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=_INK, labelrotation=0)
    if len(sizes) > 9:
        axes.tick_params(axis="x", labelrotation=45)


def _steps(chart: Chart) -> tuple[float, ...]:
    """Marks at 1, 2 and 5 of each decade while there are few decades, else at 1."""
    values = [y for series in chart.series for y in series.y]
    return (1.0, 2.0, 5.0) if max(values) < 300 * min(values) else (1.0,)


def _line(axes: Axes, series: Series, sizes: list[float]) -> None:
    """One series; a size without a figure breaks the line."""
    bars = None
    if series.low:
        below = [y - low for y, low in zip(series.y, series.low, strict=True)]
        above = [high - y for y, high in zip(series.y, series.high, strict=True)]
        bars = [_over(sizes, series.x, below), _over(sizes, series.x, above)]
    axes.errorbar(
        sizes,
        _over(sizes, series.x, series.y),
        yerr=bars,
        label=_plain(series.name),
        color=series.look.light,
        marker=_MARKERS[series.look.marker],
        linestyle=_LINES[series.look.line],
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1.6,
        capsize=2.5,
        elinewidth=1,
    )


def _over(sizes: list[float], x: Sequence[float], values: Sequence[float]) -> list[float]:
    found = dict(zip(x, values, strict=True))
    return [found.get(size, math.nan) for size in sizes]


def _label_outer(places: list[Axes], shown: list[Chart], columns: int) -> None:
    """Titles of axes at the left and at the foot of each column only."""
    for index, (axes, chart) in enumerate(zip(places, shown, strict=False)):
        if index % columns == 0:
            axes.set_ylabel(chart.y_title, fontsize=9, color=_INK)
        if index + columns >= len(shown):
            axes.set_xlabel(chart.x_title, fontsize=9, color=_INK)


def _head(drawing: Figure, family: list[Chart], shown: list[Chart]) -> None:
    lines = [family[0].title, family[0].common]
    if any(series.low for chart in shown for series in chart.series):
        lines.append("points: median of the session medians; bars: the smallest to the largest")
    if len(family) > len(shown):
        lines.append(f"{len(shown)} of {len(family)} charts; the page holds all")
    most = int(drawing.get_figwidth() / _LETTER_INCHES)
    wrapped = (
        part for line in lines for part in wrap(line, most, max_lines=MOST_LINES, placeholder="…")
    )
    drawing.suptitle(
        "\n".join(_plain(part, most) for part in wrapped),
        fontsize=11,
        color=_INK,
        x=0.01,
        ha="left",
    )


def _legend(drawing: Figure, places: list[Axes], across: int) -> None:
    handles: dict[str, Any] = dict(sorted(_handles(places), key=lambda each: each[0]))
    drawing.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower left",
        ncols=min(across, len(handles)),
        fontsize=9,
        frameon=False,
    )


def _handles(places: list[Axes]) -> Iterator[tuple[str, ErrorbarContainer]]:
    for axes in places:
        for container in axes.containers:
            if isinstance(container, ErrorbarContainer):
                yield str(container.get_label()), container


def _plain(text: str, most: int = MOST_LETTERS) -> str:
    """The text as it is: a dollar sign starts no formula, a leading underscore hides nothing.

    What the font cannot draw becomes a mark; a long one is abbreviated. The page has all of it.
    """
    line = abbreviated(text, most)
    shown = "".join(each if _is_drawable(each) else _MARK for each in line).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _is_drawable(character: str) -> bool:
    return bool(_font().get_char_index(ord(character)))


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties()))
