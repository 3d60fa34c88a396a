"""Each rank of the groups of processes of a run in the terminal: those of its largest problem."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.rows.ranks import ranks
from reports.views.ranks import HEADING, HEADS, NOTE, values
from reports.views.text import abbreviated, counted

MOST_ROWS: Final = 12
"""Ranks; more are counted."""
SHORT: Final = {
    "rank ms": "ms",
    "rank peak MiB": "peak MiB",
    "communication ms": "commun. ms",
    "arithmetic ms": "arithm. ms",
}
"""Heads that fit a narrow terminal."""


def ranks_table(analysis: Analysis) -> list[RenderableType]:
    """A row for each rank on the largest problem; empty for a run without a group of processes."""
    rows = ranks(analysis.run, analysis.records)
    if not rows:
        return []
    largest = max(rows, key=lambda row: row.problem.flops).problem
    own = [row for row in rows if row.problem == largest][:MOST_ROWS]
    names = [Name(abbreviated(row.implementation, MOST)) for row in own]
    made = table(f"{HEADING} of {largest}")
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    for head in (SHORT.get(each, each) for each in HEADS):
        made.add_column(head, justify="right", min_width=max(map(len, head.split())))
    for name, row in zip(names, own, strict=True):
        made.add_row(name, *(text or "-" for text, _ in values(row)))
    left = len(rows) - len(own)
    more = [f"{counted(left, 'more row')} of ranks: on the page."] if left else []
    return [Fitting(made), Text("\n".join([NOTE, *more]), style="dim")]
