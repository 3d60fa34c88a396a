"""The percentiles of a run with --tail in the terminal: those of its largest problem."""

from __future__ import annotations

from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views.tails import HEADING, HEADS, figure, sentences
from reports.views.text import abbreviated, counted

MOST_ROWS: Final = 12
"""Implementations; more are counted."""


def tail_table(analysis: Analysis) -> list[RenderableType]:
    """The percentiles on the largest problem, the shortest tail first, and how to read them.

    Empty for a run without --tail.
    """
    rows = [row for row in analysis.tails if row.threads == analysis.most_threads]
    if not rows:
        return []
    largest = max(rows, key=lambda row: row.problem.flops).problem
    own = sorted(
        (row for row in rows if row.problem == largest),
        key=lambda row: row.percentiles[-1].value if row.percentiles[-1] else row.slowest_ms,
    )
    names = [Name(abbreviated(row.implementation, MOST)) for row in own[:MOST_ROWS]]
    made = table(f"{HEADING} of {largest}")
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    for head in (*HEADS, "calls"):
        made.add_column(head, justify="right", no_wrap=True)
    for name, row in zip(names, own, strict=False):
        made.add_row(name, *map(figure, row.percentiles), str(row.calls))
    left = len(analysis.tails) - len(names)
    more = [f"{counted(left, 'more row')} of tails: on the page."] if left else []
    return [Fitting(made), Text("\n".join([*sentences(analysis), *more]), style="dim")]
