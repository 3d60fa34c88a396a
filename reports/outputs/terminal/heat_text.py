"""Heat maps as text: one character for each cell, the panels side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from reports.views.charts.heat import Heat, Panel

MOST_ROWS: Final = 24
MOST_COLUMNS: Final = 24
"""Larger heat maps are on the page only: three of them have to fit a line of 100 characters."""
_SHADES: Final = "·░▒▓█"
"""From weights of nearly 0 to the largest one."""
_OFF: Final = ".x"
"""Differences of no size on this scale, and larger ones."""
_GAP: Final = "   "


def fits(chart: Heat) -> bool:
    """Whether a heat map is small enough for the terminal."""
    rows, columns = chart.size
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def heat_text(chart: Heat, *, off: float) -> Iterator[Text]:
    """The lines of a heat map: titles, then a line for each row.

    off  a difference below this is drawn as none
    """
    rows, columns = chart.size
    label = len(f"{chart.y_title} {rows - 1}")
    width = max(columns, *(len(each.title) for each in chart.panels))
    titles = _GAP.join(each.title.ljust(width) for each in chart.panels)
    yield Text(f"{chart.title}", style="bold")
    yield Text(f"{'':{label}}  {titles}".rstrip())
    for row in range(rows):
        cells = _GAP.join(_row(chart, each, row, off).ljust(width) for each in chart.panels)
        name = f"{chart.y_title} {row}"
        yield Text(f"{name:>{label}}  {cells}".rstrip())


def legend(chart: Heat) -> str:
    """The meaning of the characters."""
    empty = f"blank: {chart.empty}; " if chart.empty else ""
    signed = any(each.signed for each in chart.panels)
    return f"{_SHADES}: 0 to {chart.most:.3g}; {empty}" + ("x: differs" if signed else "")


def _row(chart: Heat, panel: Panel, row: int, off: float) -> str:
    return "".join(_character(value, chart, panel, off) for value in panel.cells[row])


def _character(value: float | None, chart: Heat, panel: Panel, off: float) -> str:
    if value is None:
        return " "
    if panel.signed:
        return _OFF[not abs(value) < off]
    if value != value:  # noqa: PLR0124 - NaN
        return "?"
    share = min(1.0, max(0.0, value / chart.most))
    return _SHADES[min(len(_SHADES) - 1, int(share * len(_SHADES)))]
