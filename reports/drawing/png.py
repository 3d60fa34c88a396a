"""Chart descriptions to PNG files: one of small multiples for each family of charts."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, TypeGuard

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from reports.drawing.series import Chart, Map, Series
from reports.words import abbreviated

MOST_ON_ONE: Final = 24
"""A file holds so many small multiples at most; the page holds all."""
_MARKERS: Final[dict[str, str | tuple[tuple[int, int], ...]]] = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "star": "*",
    "triangle-left": "<",
    "triangle-right": ">",
    "pentagon": "p",
    "hourglass": ((-1, 1), (1, 1), (-1, -1), (1, -1), (-1, 1)),
    "cross": "P",
    "x": "X",
}
_LINES: Final = {"solid": "-", "dash": "--", "dot": ":"}
_NUMBERS: Final = FuncFormatter(lambda value, _: f"{value:.12g}")
"""Plain numbers, as on the page."""
_MARK: Final = "\N{REPLACEMENT CHARACTER}"
_INK, _FAINT = "#1f2328", "#d8dce1"
_INCHES: Final = (4.1, 3.0)
"""Of one chart, without the margins around it."""
_WORTH_A_PROCESS: Final = 16
"""Charts: fewer are drawn sooner than another process has started."""
_STARTING: Final = 8
"""Charts that are drawn while another process starts."""
DOTS: Final = 160
"""To an inch: twice what a screen of usual resolution shows."""
_OURS: Final = "attnbench"
"""What a file says it was made by."""
_LABEL: Final = 56
"""A longer label of a chart is abbreviated: it would run into the next chart."""
_LETTER_INCHES: Final = 0.085
MOST_LINES: Final = 3
"""Of what all charts of a file have in common."""
MOST_LETTERS: Final = 64
"""A longer name is abbreviated: a legend is as wide as its chart."""


@dataclass(frozen=True, slots=True)
class _Margins:
    """Inches around a chart: for its y axis, for its x axis, and for its label."""

    left: float = 0.75
    bottom: float = 0.55
    title: float = 0.3


_MARGINS: Final = _Margins()
_LABELS: Final = (0.5, 0.42)
"""Inches from the y axis to the end of its words, and from the x axis to the top of its own."""


def draw(charts: Iterable[Chart | Map], folder: Path) -> list[Path]:
    """Write one PNG per family into a folder that exists, and tell which.

    Many charts are shared with further processes: letters and lines take most of a large report's
    time. A script that calls this has the `if __name__ == "__main__":` that these need.
    """
    families: dict[Path, list[Chart | Map]] = {}
    for chart in charts:
        families.setdefault(folder / f"{chart.key}.png", []).append(chart)
    own, *others = _shares(families)
    if not others:
        _write_all(own, families)
        return list(families)
    with ProcessPoolExecutor(len(others), mp_context=get_context("spawn")) as pool:
        theirs = [
            pool.submit(
                _write_all, share, {path: list(map(_bare, families[path])) for path in share}
            )
            for share in others
        ]
        _write_all(own, families)
        for each in theirs:
            each.result()
    return list(families)


def _shares(families: Mapping[Path, Sequence[Chart | Map]]) -> list[list[Path]]:
    """Which files each process writes, itself first: one for every so many charts and core."""
    sizes = {path: min(len(family), MOST_ON_ONE) for path, family in families.items()}
    count = max(1, min(os.cpu_count() or 1, len(families), sum(sizes.values()) // _WORTH_A_PROCESS))
    shares: list[list[Path]] = [[] for _ in range(count)]
    charts = [0, *[_STARTING] * (count - 1)]
    for path in sorted(sizes, key=sizes.__getitem__, reverse=True):
        least = charts.index(min(charts))
        shares[least].append(path)
        charts[least] += sizes[path]
    return shares


def _bare(chart: Chart | Map) -> Chart | Map:
    """Without what the page alone shows: another process need not be sent it."""
    if isinstance(chart, Map):
        tiles = tuple(replace(tile, hover="") for tile in chart.tiles)
        return replace(chart, tiles=tiles, facets={})
    series = tuple(replace(each, hover=(), facets=()) for each in chart.series)
    return replace(chart, series=series, facets={})


def _write_all(paths: Iterable[Path], families: Mapping[Path, Sequence[Chart | Map]]) -> None:
    for path in paths:
        figure(families[path]).savefig(
            path,
            dpi=DOTS,
            facecolor="white",
            metadata={"Software": _OURS},
            pil_kwargs={"compress_level": 3},
        )


def is_ours(path: Path) -> bool:
    """Whether a PNG file was drawn here: it says so in its first bytes."""
    with path.open("rb") as file:
        return f"Software\0{_OURS}".encode() in file.read(512)


def figure(family: Sequence[Chart | Map]) -> Figure:
    """The charts of one family side by side, with one legend for all."""
    shown = list(family[:MOST_ON_ONE])
    columns = _columns(shown)
    rows = math.ceil(len(shown) / columns)
    width = max((_INCHES[0] + _MARGINS.left) * columns + 0.1, 6.4)
    head = _head(family, shown, width)
    keys = _legend_of(shown)
    across = _across(keys, width)
    top = 0.2 + 0.19 * len(head)
    foot = 0.2 + 0.2 * math.ceil(len(keys) / across)
    height = (_INCHES[1] + _MARGINS.bottom) * rows + top + foot
    drawing = Figure(figsize=(width, height))
    FigureCanvasAgg(drawing)
    for place, chart in enumerate(shown):
        axes = drawing.add_axes(_box(divmod(place, columns), columns, (width, height), top))
        if isinstance(chart, Map):
            _fill_map(axes, chart)
        else:
            _fill(axes, chart)
        title = _plain(chart.label, _LABEL)  # with its place given: to look for one takes long
        axes.set_title(title, fontsize=10, color=_INK, loc="left", y=1.02)
        axes.set_ylabel(_plain(chart.y_title), fontsize=9, color=_INK)
        # Their places given, too: to find them by the letters beneath means to lay out each twice.
        inside = axes.get_position()
        axes.yaxis.set_label_coords(-_LABELS[0] / (inside.width * width), 0.5)
        axes.xaxis.set_label_coords(0.5, -_LABELS[1] / (inside.height * height))
        if place + columns >= len(shown):
            axes.set_xlabel(_plain(chart.x_title), fontsize=9, color=_INK)
    _same_heights(drawing, shown, columns)
    _same_sizes(drawing, shown, columns)
    for axes, chart in zip(drawing.axes, shown, strict=True):
        if isinstance(chart, Chart):
            _mark_axes(axes, chart)
    drawing.suptitle(
        "\n".join(head), fontsize=11, color=_INK, x=0.1 / width, y=1 - 0.1 / height, ha="left"
    )
    _legend(drawing, keys, across)
    return drawing


def _box(
    place: tuple[int, int], columns: int, size: tuple[float, float], top: float
) -> tuple[float, float, float, float]:
    """Where a chart stands on its file: left, bottom, width and height as parts of the whole.

    Set by hand: to lay a file out by what its letters need means to draw it twice.
    """
    (row, column), (width, height) = place, size
    wide = (width - 0.1) / columns
    left = wide * column + _MARGINS.left
    bottom = height - top - row * (_INCHES[1] + _MARGINS.bottom) - _INCHES[1]
    inner = _INCHES[1] - _MARGINS.title
    return left / width, bottom / height, (wide - _MARGINS.left) / width, inner / height


def _same_heights(drawing: Figure, shown: list[Chart | Map], columns: int) -> None:
    """One scale for the charts of a row, as far as they are of one kind; the first one tells it."""
    for first in range(0, len(shown), columns):
        row = range(first, min(first + columns, len(shown)))
        own = [drawing.axes[i] for i in row if isinstance(shown[i], Chart)]
        if len({axes.get_yscale() for axes in own}) == 1:
            low = min(axes.get_ylim()[0] for axes in own)
            high = max(axes.get_ylim()[1] for axes in own)
            for axes in own:
                axes.set_ylim(low, high)
            for axes in own[1:]:
                axes.tick_params(axis="y", labelleft=False)
                axes.set_ylabel("")


def _same_sizes(drawing: Figure, shown: list[Chart | Map], columns: int) -> None:
    """The sizes stand beneath the last chart of a column, where all above it reach as far."""
    for first in range(columns):
        column = range(first, len(shown), columns)
        own = [drawing.axes[i] for i in column if isinstance(shown[i], Chart)]
        if len(own) == len(column) and len({axes.get_xlim() for axes in own}) == 1:
            for axes in own[:-1]:
                axes.tick_params(axis="x", labelbottom=False)


def _columns(shown: list[Chart | Map]) -> int:
    """One column a mask where that makes whole rows, else up to three."""
    masks = len({chart.mask for chart in shown})
    if 1 < masks <= 4 and len(shown) % masks == 0:
        return masks
    return min(3, len(shown))


def _fill(axes: Axes, chart: Chart) -> None:
    sizes = _sizes(chart)
    xs = [*sizes, *(x for series in chart.series for x in series.x)]
    if chart.log_x:
        axes.set_xscale("log")
    if chart.log_y:
        axes.set_yscale("log")
    axes.set_xlim(_limits(xs, log=chart.log_x))
    axes.set_ylim(_limits(_heights(chart), log=chart.log_y))
    for series in chart.series:
        _line(axes, series, sizes)
    axes.grid(visible=True, which="major", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=_INK, labelrotation=0)
    if chart.ticks and len(sizes) > 9:
        axes.tick_params(axis="x", labelrotation=45)


def _sizes(chart: Chart) -> list[float]:
    """Those the chart names, or else those that someone has a point at."""
    marked = [series for series in chart.series if series.drawn != "bare"] or chart.series
    return sorted(chart.sizes or {x for series in marked for x in series.x})


def _mark_axes(axes: Axes, chart: Chart) -> None:
    """Mark the axes of a chart, now that what they reach over is known."""
    if chart.ticks:
        _mark(axes.xaxis, FixedLocator(_sizes(chart)))
    elif chart.log_x:
        _mark(axes.xaxis, _locator(*axes.get_xlim()))
    if chart.log_y:
        _mark(axes.yaxis, _locator(*axes.get_ylim()))


def _mark(axis: Axis, locator: Locator) -> None:
    """Mark an axis in some places, with plain numbers."""
    axis.set_major_locator(locator)
    axis.set_major_formatter(_NUMBERS)
    axis.set_minor_locator(NullLocator())


def _locator(low: float, high: float) -> Locator:
    """Where a logarithmic axis is marked: evenly if it is short, else at 1, 2 and 5, or at 1."""
    if high < 4 * low:
        return MaxNLocator(5, steps=[1, 2, 5, 10])
    return LogLocator(subs=(1.0, 2.0, 5.0) if high < 500 * low else (1.0,), numticks=12)


def _heights(chart: Chart) -> list[float]:
    """Every figure of a chart that has to be in sight; zero too where the axis is linear."""
    found = [y for series in chart.series for y in (*series.y, *series.low, *series.high)]
    return found if chart.log_y else [0.0, *found]


def _limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """From the smallest to the largest, with room; what is at zero stays there."""
    low, high = min(values), max(values)
    if log:
        room = (high / low) ** 0.05 if high > low else 2.0
        return low / room, high * room
    room = 0.05 * (high - low) or 1.0
    return low - (room if low else 0.0), high + room


def _fill_map(axes: Axes, chart: Map) -> None:
    """A tile for each problem, in the colour of who is fastest there; hatched where undecided."""
    xs, ys = (sorted({getattr(tile, axis) for tile in chart.tiles}) for axis in "xy")
    most = max(3, int(_INCHES[0] / len(xs) / _LETTER_INCHES))
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
        ink = _INK if tile.undecided else "white"
        axes.text(x, y, shown, ha="center", va="center", fontsize=8, color=ink, bbox=behind)
    axes.set_xlim(-0.5, len(xs) - 0.5)
    axes.set_ylim(-0.5, len(ys) - 0.5)
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(labelsize=8.5, colors=_INK, length=0)


def _in_tile(name: str, most: int) -> str:
    """A name on the lines that its joints give, no longer than so many letters; else nothing."""
    lines = wrap(name.replace("_", "_ "), most) if len(name) > most else [name]
    joined = [line.replace("_ ", "_") for line in lines]
    fits = len(joined) <= MOST_LINES and all(len(line) <= most for line in joined)
    return "\n".join(map(_plain, joined)) if fits else ""


def _line(axes: Axes, series: Series, sizes: list[float]) -> None:
    """One series; a size without a figure breaks a line, several at one size are no line."""
    is_line = series.drawn == "line"
    xs = sizes if is_line else list(series.x)
    ys = _over(sizes, series.x, series.y) if is_line else list(series.y)
    if series.low:  # one collection: a bar for each point costs more than all the rest
        ends = zip(series.x, series.low, series.high, strict=True)
        segments = [[(x, low), (x, high)] for x, low, high in ends]
        bars = LineCollection(segments, colors=series.look.light, linewidths=1.2)
        axes.add_collection(bars, autolim=False)
    # As an artist: a line that is plotted has its limits looked for, again with each line.
    axes.add_artist(Line2D(xs, ys, **_style(series)))


def _style(series: Series) -> dict[str, Any]:
    """How a series is drawn, on its chart and in the legend."""
    look = series.look
    return {
        "color": look.light,
        "marker": "" if series.drawn == "bare" else _MARKERS[look.marker],
        "linestyle": "" if series.drawn == "points" else _LINES[look.line],
        "markersize": 6,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "linewidth": 1.6,
    }


def _over(sizes: list[float], x: Sequence[float], values: Sequence[float]) -> list[float]:
    found = dict(zip(x, values, strict=True))
    return [found.get(size, math.nan) for size in sizes]


def _head(family: Sequence[Chart | Map], shown: list[Chart | Map], width: float) -> list[str]:
    """What stands above all charts of a file, line by line."""
    lines = [family[0].title, family[0].common]
    if any(isinstance(chart, Map) for chart in shown):
        lines.append("the fastest; hatched with ? where it is not told apart from the next")
    lines += dict.fromkeys(chart.bars for chart in shown if _has_bars(chart))
    if len(family) > len(shown):
        lines.append(f"{len(shown)} of {len(family)} charts; the page holds more")
    most = int(width / _LETTER_INCHES)
    return [
        _plain(part, most)
        for line in lines
        for part in wrap(line, most, max_lines=MOST_LINES, placeholder="…")
    ]


def _has_bars(chart: Chart | Map) -> TypeGuard[Chart]:
    return isinstance(chart, Chart) and any(series.low for series in chart.series)


def _legend_of(shown: Iterable[Chart | Map]) -> dict[str, Artist]:
    """Each name with how it looks: implementations by name, then lines that are nobody's."""
    keys = list(chain.from_iterable(map(_keys, shown)))
    keys.sort(key=lambda key: (0, key[1]) if key[0] else (1, ""))
    return {_plain(name): artist for _, name, artist in keys}


def _keys(chart: Chart | Map) -> Iterator[tuple[str, str, Artist]]:
    """What the legend says of a chart: whose it is, its name and how it looks."""
    if isinstance(chart, Map):
        for tile in chart.tiles:
            yield tile.name, tile.name, Patch(facecolor=chart.looks[tile.name].light)
    else:
        for series in chart.series:
            yield series.implementation, series.name, Line2D([], [], **_style(series))


def _across(keys: Mapping[str, Artist], width: float) -> int:
    """How many names a line of the legend holds."""
    return max(1, min(len(keys), int(width / (0.55 + _LETTER_INCHES * max(map(len, keys))))))


def _legend(drawing: Figure, keys: Mapping[str, Artist], across: int) -> None:
    drawing.legend(
        list(keys.values()),
        list(keys),
        loc="lower left",
        ncols=across,
        fontsize=9,
        frameon=False,
    )


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
