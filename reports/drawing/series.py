"""What a chart is: lines, points or a map over sizes, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reports.drawing.palette import Look

MEDIANS: Final = "points: median of the session medians; bars: the smallest to the largest"
"""What points and bars of times are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: an implementation over the sizes of a chart.

    y               the stored figure at each x, exactly
    low, high       the spread or interval; empty where there is none to show
    hover           a few lines of words for each point
    implementation  whose it is, for filters; empty for a line that is nobody's, as a ceiling
    drawn           `line` with markers, `points` alone, or a `bare` line without markers
    facets          what each point is filtered by besides the facets of its chart; empty for none
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
    panel   who is drawn: those of one panel only
    title   of the family, in plain words
    label   what sets this chart apart from the others of its family; empty when it is the only one
    common  what all charts of the family have in common
    mask    for arranging small multiples
    note    what a point is, who is not drawn and why
    alt     the chart in words
    facets  what all its problems have in common of what a page is filtered by
    ticks   whether the x axis is marked at the sizes themselves, rather than evenly
    bars    what points and bars are, said where there are bars
    sizes   what lines and the x axis reach over; empty for those that someone has a point at
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One problem of a map: who is fastest there, unless it is not told apart from the next."""

    x: float
    y: float
    name: str
    undecided: bool
    hover: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """One map: the fastest implementation over two sizes; the words as those of a Chart.

    looks   of everybody who is named on it
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
