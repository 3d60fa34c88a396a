"""What a chart is: lines over sizes or threads, and the words around them."""

from __future__ import annotations

from dataclasses import dataclass

from reports.palette import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: an implementation over the sizes of a chart.

    y          the stored figure at each x, exactly
    low, high  the spread over sessions; empty where there is none to show
    hover      a few lines of words for each point
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    hover: tuple[str, ...]
    look: Look


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
