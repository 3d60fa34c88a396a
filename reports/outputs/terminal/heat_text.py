"""Heat maps as text: one character for each cell, the panels side by side."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, sqrt
from typing import Final

from rich.text import Text

from reports.views.charts.heat import Heat, Panel
from reports.views.text import abbreviated

MOST_ROWS: Final = 24
MOST_COLUMNS: Final = 24
"""Larger heat maps are on the page only: three of them have to fit a line of 100 characters."""
_SHADES: Final = "·░▒▓█"
"""From weights of nearly 0 to the largest one."""
_SMALL: Final = 0.1
"""A signed value below this part of the largest one is drawn as none, unless a limit is given."""
_GAP: Final = "   "


def fits(chart: Heat) -> bool:
    """Whether a heat map is small enough for the terminal."""
    rows, columns = chart.size
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def heat_text(chart: Heat, off: float | None = None) -> Iterator[Text]:
    """The lines of a heat map: titles, then a line for each row.

    off  a signed value below this is drawn as none; None: a part of the largest one
    """
    rows, columns = chart.size
    label = len(f"{chart.y_title} {rows - 1}")
    width = max(columns, *(min(len(each.title), MOST_COLUMNS) for each in chart.panels))
    titles = _GAP.join(abbreviated(each.title, width).ljust(width) for each in chart.panels)
    yield Text(f"{chart.title}", style="bold")
    yield Text(f"{'':{label}}  {titles}".rstrip())
    for row in range(rows):
        cells = _GAP.join(_row(chart, each, row, off).ljust(width) for each in chart.panels)
        name = f"{chart.y_title} {row}"
        yield Text(f"{name:>{label}}  {cells}".rstrip())


def legend(chart: Heat) -> str:
    """The meaning of the characters."""
    return "; ".join(_meanings(chart))


def _meanings(chart: Heat) -> Iterator[str]:
    plain = [each for each in chart.panels if not each.signed]
    names = plain[0].names if plain else ()
    for place, name in enumerate(names):
        yield f"{_shade(place / chart.most)} {name}"
    if plain and not names:
        yield f"{_SHADES} from 0 to {chart.most:.3g}, by square roots"
    if chart.empty:
        yield f"blank: {chart.empty}"
    if len(plain) < len(chart.panels):
        yield "+ and -: above and below 0"


def _row(chart: Heat, panel: Panel, row: int, off: float | None) -> str:
    return "".join(_character(value, chart, panel, off) for value in panel.cells[row])


def _character(value: float | None, chart: Heat, panel: Panel, off: float | None) -> str:
    if value is None:
        return " "
    if isnan(value):
        return "?"
    if panel.signed:
        least = _SMALL * panel.most if off is None else off
        return "." if abs(value) < least else "+" if value > 0 else "-"
    share = max(0.0, value) / chart.most
    return _shade(share if panel.names else sqrt(share))  # most weights are small


def _shade(share: float) -> str:
    return _SHADES[min(len(_SHADES) - 1, int(share * len(_SHADES)))]
