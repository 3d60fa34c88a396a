"""Charts, maps, icicles and heat maps as data for the script of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from math import isfinite
from typing import Any

from reports.outputs.html.filters import Filters
from reports.views.charts.chart import Icicle, Map, Series, Shown
from reports.views.charts.heat import Heat, Panel
from reports.views.charts.palette import Look, ink_on
from reports.views.text import abbreviated, printable


def chart_data(
    drawn: Iterable[Shown], filters: Filters, *, medians_only: bool = False
) -> dict[str, Any]:
    """Families of charts by key; texts of points are stored once for all charts.

    medians_only  without intervals and without texts of points, whose size grows with the run
    """
    shared = Shared(filters, medians_only=medians_only)
    families: dict[str, list[dict[str, Any]]] = {}
    for key, family in groupby(drawn, lambda chart: chart.key):
        found = families.setdefault(key, [])
        for chart in family:
            found.append({**_words(chart, filters), **_parts(chart, shared)})
    return {
        "families": families,
        "hovers": [chart_text(text) for text in shared.hovers],
        "looks": list(map(_look, shared.looks)),
        "spots": list(map(list, shared.spots)),
        "facets": [[name, list(map(printable, own))] for name, own in filters.values.items()],
    }


def chart_text(text: str) -> str:
    """The text for the chart library, which would interpret tags, entities and formulas."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("$", "&#36;").replace("\n", "<br>")


class Shared:
    """Values that many charts share: stored once, and referred to by position.

    hovers  texts of points
    looks   of series
    spots   facets of points
    """

    def __init__(self, filters: Filters, *, medians_only: bool) -> None:
        self.filters, self.medians_only = filters, medians_only
        self.hovers: dict[str, int] = {}
        self.looks: dict[Look, int] = {}
        self.spots: dict[tuple[int, ...], int] = {}

    def hover(self, texts: Iterable[str]) -> list[int]:
        """The positions of texts of points; empty where only medians are shown."""
        if self.medians_only:
            return []
        return [self.hovers.setdefault(text, len(self.hovers)) for text in texts]

    def look(self, look: Look) -> int:
        """The position of a look."""
        return self.looks.setdefault(look, len(self.looks))

    def spot(self, facets: Mapping[str, str]) -> int:
        """The position of the facets of a point."""
        return self.spots.setdefault(tuple(self.filters.places(facets)), len(self.spots))

    def of(self, name: str) -> int:
        """The position of an implementation among the filters; -1 for a line of none."""
        return self.filters.values["implementation"].get(name, -1)


def _look(look: Look) -> list[str]:
    """Colours on a light and a dark page, marker, dashes, and the text on either colour."""
    return [look.light, look.dark, look.marker, look.line, ink_on(look.light), ink_on(look.dark)]


def _words(chart: Shown, filters: Filters) -> dict[str, Any]:
    return {
        "alt": printable(chart.alt),
        "note": printable(chart.note),
        "x": chart_text(chart.x_title),
        "y": chart_text(chart.y_title),
        "facets": filters.places(chart.facets),
    }


def _parts(chart: Shown, shared: Shared) -> dict[str, Any]:
    if isinstance(chart, Icicle):
        return {
            "blocks": _blocks(chart, shared),
            "down": chart.down,
            "levels": 1 + max(chart.depths),
            "legend": [[name, shared.look(own)] for name, own in chart.legend],
        }
    if isinstance(chart, Map):
        return {"tiles": _tiles(chart, shared)}
    if isinstance(chart, Heat):
        return {
            "panels": [_panel(each) for each in chart.panels],
            "most": chart.most,
            "mark": chart.mark,
        }
    return {
        "logX": chart.log_x,
        "logY": chart.log_y,
        "ticks": chart.ticks,
        "sizes": _rounded(chart.sizes),
        "names": list(map(chart_text, chart.names)),
        "rows": [chart_text(row) for row in chart.rows],
        "clip": _rounded(chart.clip) if chart.clip else None,
        "series": [_series(series, shared) for series in chart.series],
    }


def _panel(panel: Panel) -> dict[str, Any]:
    """A heat map; a value without a place on the scale, as NaN, is no value."""
    return {
        "title": chart_text(panel.title),
        "cells": [[_cell(value, 3 if panel.signed else 4) for value in row] for row in panel.cells],
        "word": chart_text(panel.word),
        "signed": panel.signed,
        "most": panel.most,
        "sides": list(map(chart_text, panel.sides)),
        "names": list(map(chart_text, panel.names)),
    }


def _cell(value: float | None, digits: int) -> float | None:
    """To a few digits: a page has up to 200,000 cells."""
    return None if value is None or not isfinite(value) else float(f"{value:.{digits}g}")


def _blocks(chart: Icicle, shared: Shared) -> dict[str, Any]:
    """The blocks of an icicle, a list for each of their fields."""
    return {
        "name": [chart_text(abbreviated(block.name)) for block in chart.blocks],
        "text": [chart_text(block.text) for block in chart.blocks],
        "parent": [block.parent for block in chart.blocks],
        "value": _rounded(block.value for block in chart.blocks),
        "hover": shared.hover(block.hover for block in chart.blocks),
        "look": [shared.look(block.look) for block in chart.blocks],
    }


def _series(series: Series, shared: Shared) -> dict[str, Any]:
    bars = bool(series.low) and not shared.medians_only
    return {
        "name": chart_text(abbreviated(series.name)),
        "of": shared.of(series.implementation),
        "drawn": series.drawn,
        "x": _rounded(series.x),
        "y": _rounded(series.y),
        "low": _rounded(series.low) if bars else [],
        "high": _rounded(series.high) if bars else [],
        "hover": shared.hover(series.hover),
        "facets": [shared.spot(each) for each in series.facets],
        "look": shared.look(series.look),
    }


def _tiles(chart: Map, shared: Shared) -> list[dict[str, Any]]:
    """The tiles of a map, grouped by implementation."""
    found = []
    for name in dict.fromkeys(tile.name for tile in chart.tiles):
        own = sorted(
            (tile for tile in chart.tiles if tile.name == name), key=lambda tile: tile.undecided
        )  # the legend looks like the first one
        found.append(
            {
                "name": chart_text(abbreviated(name)),
                "of": shared.of(name),
                "x": [tile.x for tile in own],
                "y": [tile.y for tile in own],
                "undecided": [tile.undecided for tile in own],
                "lead": [tile.lead for tile in own],
                "hover": shared.hover(tile.hover for tile in own),
                "look": shared.look(chart.looks[name]),
            }
        )
    return found


def _rounded(values: Iterable[float]) -> list[float]:
    """To six digits: more than a screen shows, in a third of the bytes; integers stay integers."""
    return [value if type(value) is int else float(f"{value:.6g}") for value in values]
