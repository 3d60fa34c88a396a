"""The longest length that fits the memory, and what was attempted, in the terminal."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.growth.growth import growth
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views import families
from reports.views.growth_tables import longest_cells
from reports.views.text import abbreviated

NOTE: Final = (
    "Foretold from the polynomial of the measured bytes: the longest length whose inputs and bytes "
    "fit the memory of the machine. One attempt beyond the limit of a call checks the forecast."
)


def longest_table(analysis: Analysis) -> list[RenderableType]:
    """A row for each series; empty for a run that attempts no length beyond the memory."""
    if not analysis.plan.attempts:
        return []
    found = [(each, cells) for each in growth(analysis) if (cells := longest_cells(each))]
    if not found:
        return []
    made = table("The longest length that fits")
    names = [Name(abbreviated(each.series.implementation, MOST)) for each, _ in found]
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    for head in ("on", "foretold", "tried"):
        made.add_column(head, overflow="fold")
    for name, (each, cells) in zip(names, found, strict=True):
        made.add_row(name, *map(Text, (families.where(each.family.group), *cells)))
    return [Fitting(made), Text(NOTE, style="dim")]
