"""The inside of a map: a tile for each problem, in the colour of the fastest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Final

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reports.outputs.png.text import PLAIN, SMALL, height, letters, plain
from reports.views.charts.chart import Map, Tile
from reports.views.charts.palette import ink_on

INK: Final = "#1f2328"
_SIZES: Final = (PLAIN, SMALL, 8.0)
"""Points of the text in tiles: the first at which every name has room."""
_MARGIN: Final = 0.92
"""The share of a tile that its text may take."""


def fill_map(
    axes: Axes, chart: Map, size: tuple[float, float], numbers: Mapping[str, int], points: float
) -> set[str]:
    """Draw the tiles; the names that have no room in theirs, which show a number instead.

    size     inches of the axes
    numbers  of every implementation, by its name in the legend
    points   size of the text

    An undecided tile is hatched. The lead stands below the name.
    """
    xs, ys = (sorted({getattr(tile, axis) for tile in chart.tiles}) for axis in "xy")
    room = _room(chart, size)
    numbered = _without_room(chart, room, points)
    for tile in chart.tiles:
        number = numbers[plain(tile.name)]
        word = f"{number} ?" if tile.undecided else f"{number}"
        lines = [word] if tile.name in numbered else _name_lines(tile, room, points)
        shown = with_lead(lines, tile, room, points)
        colour = chart.looks[tile.name].light
        _tile(axes, tile, (xs.index(tile.x), ys.index(tile.y)), colour, shown, points)
    axes.set_xlim(-0.5, len(xs) - 0.5)
    axes.set_ylim(-0.5, len(ys) - 0.5)
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(labelsize=PLAIN, colors=INK, length=0)
    return set(map(plain, numbered))


def tile_points(charts: Iterable[Map], size: tuple[float, float]) -> float:
    """The largest size of text at which every name of the maps has room, or the smallest."""
    maps = list(charts)
    fitting = (
        points
        for points in _SIZES
        if not any(_without_room(chart, _room(chart, size), points) for chart in maps)
    )
    return next(fitting, _SIZES[-1])


def _room(chart: Map, size: tuple[float, float]) -> tuple[float, float]:
    """Inches of text in a tile."""
    across, down = (len({getattr(tile, axis) for tile in chart.tiles}) for axis in "xy")
    return size[0] / across * _MARGIN, size[1] / down * _MARGIN


def _without_room(chart: Map, room: tuple[float, float], points: float) -> set[str]:
    return {tile.name for tile in chart.tiles if not _name_lines(tile, room, points)}


def with_lead(lines: list[str], tile: Tile, room: tuple[float, float], points: float) -> list[str]:
    """The lines of a tile with its lead below, where that has room."""
    most = letters(room[0], points)
    more = [*lines, *wrap(tile.lead, most, break_long_words=False)]
    fits = all(len(line) <= most for line in more) and height(len(more), points) <= room[1]
    return more if fits else lines


def _name_lines(tile: Tile, room: tuple[float, float], points: float) -> list[str]:
    """The name of a tile in lines that fit; empty where they do not."""
    shown = f"{tile.name} ?" if tile.undecided else tile.name
    lines = in_tile(shown, letters(room[0], points))
    return lines if height(len(lines), points) <= room[1] else []


def in_tile(name: str, most: int) -> list[str]:
    """A name broken at its separators into lines of at most `most` letters; empty if too long."""
    parts = wrap(name.replace("_", "_ "), most, break_long_words=False)
    lines = parts if len(name) > most else [name]
    joined = [line.replace("_ ", "_") for line in lines]
    return joined if all(len(line) <= most for line in joined) else []


def _tile(
    axes: Axes,
    tile: Tile,
    place: tuple[int, int],
    colour: str,
    lines: list[str],
    points: float,
) -> None:
    x, y = place
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
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if tile.undecided else None
    ink = INK if tile.undecided else ink_on(colour)
    shown = "\n".join(map(plain, lines))
    axes.text(x, y, shown, ha="center", va="center", fontsize=points, color=ink, bbox=behind)
