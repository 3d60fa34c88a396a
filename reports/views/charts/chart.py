"""Descriptions of charts: lines, points, a map over sizes or an icicle, with titles and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reports.views.charts.heat import Heat
from reports.views.charts.palette import Look

MEDIANS: Final = "points: median of the session medians; bars: the smallest to the largest"
"""The meaning of points and bars of times."""
STACKED: Final = "stacked"
"""A series of bars along x, each upon that of the series before it."""
SPANS: Final = "spans"
"""A series of bars along x, each from its `low` to its `high`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: an implementation over the sizes of a chart.

    y               the stored figure at each x, unrounded; of `samples` to four digits
    low, high       the spread or interval; empty where there is none to show
    hover           a few lines of text for each point
    implementation  for filters; empty for a line of no implementation, as a ceiling
    drawn           `line` with markers over the sizes of the chart, `joined` points in their
                    order, `points` alone, many small `samples`, a `bare` line without markers,
                    bars from the left that are `stacked` upon those of the series before it, or
                    bars as `spans` from low to high
    facets          of each point, besides the facets of its chart; empty for none
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    hover: tuple[str, ...]
    look: Look
    implementation: str = ""
    drawn: str = "line"
    facets: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart: several implementations on problems that differ in one size only.

    key     of its family: time_vs_length, layers_memory_vs_heads, ...; unique with the label
    panel   of all implementations on it
    title   of the family, in plain words
    label   what sets this chart apart within its family; empty for a single chart
    common  what all charts of the family have in common
    mask    for arranging small multiples
    note    what a point is, and which implementations are not drawn and why
    alt     the chart in words
    facets  the facets that all its problems share
    ticks   whether the x axis is marked at the sizes themselves, rather than evenly
    bars    the meaning of points and bars; shown where there are bars
    sizes   of lines and x axis; empty for the sizes that have a point
    rows    texts beside the points, from the top; y is then a position among them, and the bars
            of a series lie along x. Empty for a y axis of numbers
    names   of the places 0, 1, ... of an x axis without numbers, as dtypes; empty for numbers
    clip    the range that the axis of the bars shows, where values are beyond it
    ends    why lines end before the largest size, a sentence each
    """

    key: str
    panel: str
    title: str
    label: str
    common: str
    mask: str
    x_title: str
    y_title: str
    log_x: bool
    log_y: bool
    series: tuple[Series, ...]
    note: str
    alt: str
    facets: Mapping[str, str] = field(default_factory=dict)
    ticks: bool = True
    bars: str = MEDIANS
    sizes: tuple[float, ...] = ()
    rows: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    clip: tuple[float, float] | None = None
    ends: tuple[str, ...] = ()

    @property
    def richness(self) -> tuple[int, int]:
        """The numbers of implementations and points, to choose the chart that is shown first."""
        own = [series for series in self.series if series.implementation]
        return len({series.implementation for series in own}), sum(len(each.x) for each in own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One problem of a map: the fastest implementation, and whether that is undecided.

    lead  the time of the next one, as a multiple; undecided, those that may be as fast; empty alone
    """

    x: float
    y: float
    name: str
    undecided: bool
    hover: str
    lead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """One map: the fastest implementation over two sizes; texts as in a Chart.

    looks   of every implementation on it
    """

    key: str
    panel: str
    title: str
    label: str
    common: str
    mask: str
    x_title: str
    y_title: str
    tiles: tuple[Tile, ...]
    looks: Mapping[str, Look]
    note: str
    alt: str
    facets: Mapping[str, str] = field(default_factory=dict)

    @property
    def richness(self) -> tuple[int, int]:
        """The numbers of implementations and tiles, to choose the map that is shown first."""
        return len({tile.name for tile in self.tiles}), len(self.tiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of an icicle.

    name    of the block, as a line of a file
    text    a second line, as its time and share
    parent  the position of the block that it is part of, among those before it; -1 for the first
    value   its own, besides that of its parts: a block with parts usually has 0
    """

    name: str
    text: str
    parent: int
    value: float
    hover: str
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Icicle:
    """Blocks within blocks, each as long as its value; texts as in a Chart.

    A click on a block shows it alone.

    down    whether parts lie below their block and its width is its value; else they lie right of
            it, and its height is
    legend  names of looks, in their order; empty for none
    """

    key: str
    panel: str
    title: str
    label: str
    common: str
    blocks: tuple[Block, ...]
    note: str
    alt: str
    x_title: str = ""
    y_title: str = ""
    facets: Mapping[str, str] = field(default_factory=dict)
    down: bool = False
    legend: tuple[tuple[str, Look], ...] = ()

    @property
    def richness(self) -> tuple[int, int]:
        """Thousandths of the whole and the blocks, to choose the icicle that is shown first."""
        return round(1000 * self.widths[0]), len(self.blocks)

    @property
    def widths(self) -> list[float]:
        """The value of each block with its parts."""
        found = [block.value for block in self.blocks]
        for place in range(len(found) - 1, 0, -1):
            found[self.blocks[place].parent] += found[place]
        return found

    @property
    def depths(self) -> list[int]:
        """The number of blocks above each."""
        found: list[int] = []
        for block in self.blocks:
            found.append(0 if block.parent < 0 else found[block.parent] + 1)
        return found


Shown = Chart | Map | Icicle | Heat
"""Every kind of chart of a page."""
