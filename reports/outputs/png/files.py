"""Charts as PNG files, one for each family, with its charts as small multiples."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from textwrap import wrap
from typing import Final, TypeGuard

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.outputs.png.axes import INCHES, INK, fill, fill_map, mark_axes, style
from reports.outputs.png.rows import ROW_INCHES, fill_rows, label_inches
from reports.outputs.png.text import LETTER_INCHES, MOST_LINES, plain
from reports.views.charts.chart import Chart, Map

MOST_ON_ONE: Final = 24
"""Small multiples of one file at most; the page has more."""
_WORTH_A_PROCESS: Final = 16
"""Charts for each process; fewer are drawn before another process has started."""
_STARTING: Final = 8
"""Charts that one process draws while another starts."""
DOTS: Final = 160
"""Dots per inch: twice the usual resolution of a screen."""
_OURS: Final = "attnbench"
"""The software named in the metadata of a file."""
_LABEL: Final = 56
"""Letters of a chart's label; a longer one is abbreviated to stay above its chart."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Inches of one chart of a figure: inside with its label, and around it for its axes."""

    width: float = INCHES[0]
    height: float = INCHES[1]
    left: float = 0.75
    bottom: float = 0.55
    title: float = 0.3


_LABELS: Final = (0.5, 0.42)
"""Inches from the y axis to its title, and from the x axis to its title."""


def draw(charts: Iterable[Chart | Map], folder: Path) -> list[Path]:
    """Write one PNG per family into an existing folder; the paths, in the order of the charts.

    Many charts are distributed over processes: drawing takes most of the time of a large report. A
    script that calls this needs `if __name__ == "__main__":`, because the processes import it.
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
    """The files of each process, this one first; as many processes as charts and cores allow."""
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
    """Without what only the page shows, so that less is sent to another process."""
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
    """Whether the metadata of a PNG file names this program."""
    with path.open("rb") as file:
        return f"Software\0{_OURS}".encode() in file.read(512)


def figure(family: Sequence[Chart | Map]) -> Figure:
    """The charts of one family side by side, with one legend for all."""
    shown = list(family[:MOST_ON_ONE])
    columns, frame = _columns(shown), _frame(shown)
    rows = math.ceil(len(shown) / columns)
    width = max((frame.width + frame.left) * columns + 0.1, 6.4)
    head = _head(family, shown, width)
    keys = _legend_of(shown)
    across = _across(keys, width)
    top = 0.2 + 0.19 * len(head)
    foot = 0.2 + 0.2 * math.ceil(len(keys) / max(1, across))
    height = (frame.height + frame.bottom) * rows + top + foot
    drawing = Figure(figsize=(width, height))
    FigureCanvasAgg(drawing)
    for place, chart in enumerate(shown):
        axes = drawing.add_axes(_box(divmod(place, columns), columns, (width, height), top, frame))
        _fill(axes, chart)
        title = plain(chart.label, _LABEL)  # with y given: placing it automatically is slow
        axes.set_title(title, fontsize=10, color=INK, loc="left", y=1.02)
        axes.set_ylabel(plain(chart.y_title), fontsize=9, color=INK)
        # With coordinates: placing them automatically would lay out each chart twice.
        inside = axes.get_position()
        axes.yaxis.set_label_coords(-_LABELS[0] / (inside.width * width), 0.5)
        axes.xaxis.set_label_coords(0.5, -_LABELS[1] / (inside.height * height))
        if place + columns >= len(shown) or not _has_scale(chart):
            axes.set_xlabel(plain(chart.x_title), fontsize=9, color=INK)
    _same_heights(drawing, shown, columns)
    _same_sizes(drawing, shown, columns)
    for axes, chart in zip(drawing.axes, shown, strict=True):
        if isinstance(chart, Chart):
            mark_axes(axes, chart)
    drawing.suptitle(
        "\n".join(head), fontsize=11, color=INK, x=0.1 / width, y=1 - 0.1 / height, ha="left"
    )
    if keys:
        _legend(drawing, keys, across)
    return drawing


def _fill(axes: Axes, chart: Chart | Map) -> None:
    if isinstance(chart, Map):
        fill_map(axes, chart)
    elif chart.rows:
        fill_rows(axes, chart)
    else:
        fill(axes, chart)


def _frame(shown: Sequence[Chart | Map]) -> _Frame:
    """The room of each chart; with rows of text as much as the longest and most rows need."""
    rows = [chart for chart in shown if isinstance(chart, Chart) and chart.rows]
    if not rows:
        return _Frame()
    most = max(len(chart.rows) for chart in rows)
    return _Frame(height=0.3 + ROW_INCHES * most, left=max(map(label_inches, rows)))


def _box(
    place: tuple[int, int], columns: int, size: tuple[float, float], top: float, frame: _Frame
) -> tuple[float, float, float, float]:
    """The place of a chart on its figure: left, bottom, width and height as fractions.

    Computed here, because an automatic layout draws the figure twice.
    """
    (row, column), (width, height) = place, size
    wide = (width - 0.1) / columns
    left = wide * column + frame.left
    bottom = height - top - row * (frame.height + frame.bottom) - frame.height
    inner = frame.height - frame.title
    return left / width, bottom / height, (wide - frame.left) / width, inner / height


def _same_heights(drawing: Figure, shown: list[Chart | Map], columns: int) -> None:
    """One y scale for the charts of a row with axes of one kind; the first one has its labels."""
    for first in range(0, len(shown), columns):
        row = range(first, min(first + columns, len(shown)))
        own = [drawing.axes[i] for i in row if _has_scale(shown[i])]
        if len({axes.get_yscale() for axes in own}) == 1:
            low = min(axes.get_ylim()[0] for axes in own)
            high = max(axes.get_ylim()[1] for axes in own)
            for axes in own:
                axes.set_ylim(low, high)
            for axes in own[1:]:
                axes.tick_params(axis="y", labelleft=False)
                axes.set_ylabel("")


def _same_sizes(drawing: Figure, shown: list[Chart | Map], columns: int) -> None:
    """X labels below the last chart of a column only, where all of it have the same limits."""
    for first in range(columns):
        column = range(first, len(shown), columns)
        own = [drawing.axes[i] for i in column if _has_scale(shown[i])]
        if len(own) == len(column) and len({axes.get_xlim() for axes in own}) == 1:
            for axes in own[:-1]:
                axes.tick_params(axis="x", labelbottom=False)


def _has_scale(chart: Chart | Map) -> bool:
    """Whether its y axis is one of numbers."""
    return isinstance(chart, Chart) and not chart.rows


def _columns(shown: list[Chart | Map]) -> int:
    """One column for each mask where that fills all rows, otherwise up to three."""
    if any(isinstance(chart, Chart) and chart.rows for chart in shown):
        return 1
    masks = len({chart.mask for chart in shown})
    if 1 < masks <= 4 and len(shown) % masks == 0:
        return masks
    return min(3, len(shown))


def _head(family: Sequence[Chart | Map], shown: list[Chart | Map], width: float) -> list[str]:
    """The lines above all charts of a figure."""
    lines = [family[0].title, family[0].common]
    if any(isinstance(chart, Map) for chart in shown):
        lines.append(
            "the fastest; hatched with ? where it is undecided, or another was not reached"
        )
    lines += dict.fromkeys(chart.bars for chart in shown if _has_bars(chart))
    if len(family) > len(shown):
        lines.append(f"{len(shown)} of {len(family)} charts; the page holds more")
    most = int(width / LETTER_INCHES)
    return [
        plain(part, most)
        for line in lines
        for part in wrap(line, most, max_lines=MOST_LINES, placeholder="…")
    ]


def _has_bars(chart: Chart | Map) -> TypeGuard[Chart]:
    return isinstance(chart, Chart) and any(series.low for series in chart.series)


def _legend_of(shown: Iterable[Chart | Map]) -> dict[str, Artist]:
    """Legend entries: implementations by name, then lines of no implementation."""
    keys = list(chain.from_iterable(map(_keys, shown)))
    keys.sort(key=lambda key: (0, key[1]) if key[0] else (1, ""))
    return {plain(name): artist for _, name, artist in keys}


def _keys(chart: Chart | Map) -> Iterator[tuple[str, str, Artist]]:
    """Legend entries of a chart: implementation, name and artist."""
    if isinstance(chart, Map):
        for tile in chart.tiles:
            yield tile.name, tile.name, Patch(facecolor=chart.looks[tile.name].light)
    elif not chart.rows:
        for series in chart.series:
            yield series.implementation, series.name, Line2D([], [], **style(series))


def _across(keys: Mapping[str, Artist], width: float) -> int:
    """Names on one line of the legend."""
    if not keys:
        return 0
    return max(1, min(len(keys), int(width / (0.55 + LETTER_INCHES * max(map(len, keys))))))


def _legend(drawing: Figure, keys: Mapping[str, Artist], across: int) -> None:
    drawing.legend(
        list(keys.values()),
        list(keys),
        loc="lower left",
        ncols=across,
        fontsize=9,
        frameon=False,
    )
