"""The inside of a heat chart: its panels side by side."""

from __future__ import annotations

from math import nan
from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.ticker import MaxNLocator

from reports.outputs.png.text import LABEL, PLAIN, plain
from reports.views.charts.heat import Heat, Panel

INK: Final = "#1f2328"
HEAT_INCHES: Final = 4.1
"""Height of the panels."""
_GAP: Final = 0.07
"""Between two panels, as a part of the width."""
_HIDDEN: Final = "#d8dce1"
_MARKED: Final = "#b14c00"
_SCALES: Final = {
    False: ("#edf5fb", "#5aa3d0", "#003a61"),
    True: ("#c25a00", "#f4f6f8", "#00659c"),
}
"""Colours from the least to the largest value; of signed values those of both signs."""
_LINES_UP_TO: Final = 48
"""Rows or columns up to which cells are apart."""


def fill_heat(axes: Axes, chart: Heat) -> None:
    """Draw the panels within these axes."""
    axes.set_axis_off()
    count = len(chart.panels)
    wide = (1 - _GAP * (count - 1)) / count
    for place, panel in enumerate(chart.panels):
        own = axes.inset_axes((place * (wide + _GAP), 0.0, wide, 0.94))
        _fill(own, chart, panel)
        if place == 0:
            own.set_ylabel(plain(chart.y_title), fontsize=PLAIN, color=INK)


def _fill(axes: Axes, chart: Heat, panel: Panel) -> None:
    most = panel.most if panel.signed else chart.most
    cells = [[nan if value is None else value for value in row] for row in panel.cells]
    scale = LinearSegmentedColormap.from_list("", list(_SCALES[panel.signed])).with_extremes(
        bad=_HIDDEN
    )
    axes.imshow(cells, cmap=scale, norm=_norm(panel, most))
    rows, columns = chart.size
    if max(rows, columns) <= _LINES_UP_TO:
        axes.set_xticks([x + 0.5 for x in range(columns - 1)], minor=True)
        axes.set_yticks([y + 0.5 for y in range(rows - 1)], minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
    if chart.mark:
        row, column = chart.mark
        axes.plot(column, row, "s", mfc="none", mec=_MARKED, mew=2, ms=10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(which="minor", length=0)
    axes.tick_params(labelsize=PLAIN, colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(plain(panel.title), fontsize=LABEL, color=INK, loc="left")
    axes.set_xlabel(plain(chart.x_title), fontsize=PLAIN, color=INK)


def _norm(panel: Panel, most: float) -> Normalize:
    """Values as parts of the scale: square roots of weights, because most weights are small."""
    if panel.signed:
        return Normalize(-most, most)
    return Normalize(0, most) if panel.names else PowerNorm(0.5, 0, most)
