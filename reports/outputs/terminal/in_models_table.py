"""What implementations save of steps of models, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.in_models import InModelRow, in_models
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views.in_models import BY_ATTENTION, MEASURED, SAVES, SHARE, part, saved, sentences
from reports.views.model_titles import titles
from reports.views.text import abbreviated, counted

MOST_ROWS: Final = 24
"""Rows; more are counted."""


def in_models_table(analysis: Analysis, *, every: bool) -> list[RenderableType]:
    """The table, and the sentences of the page; empty for a run without steps of models.

    every  all rows
    """
    most = analysis.most_threads
    rows = [row for row in in_models(analysis) if row.threads == most and row.attention]
    if not rows:
        return []
    shown = rows if every else rows[:MOST_ROWS]
    made = table(f"{SAVES} of a model's step")
    leads = [(Name(lead), row) for lead, row in _leads(shown)]
    made.add_column("", overflow="fold", min_width=max(name.least for name, _ in leads))
    for head in (SHARE, BY_ATTENTION, MEASURED):
        made.add_column(head, justify="right", no_wrap=True)
    for name, row in leads:
        made.add_row(name, *_cells(row))
    left = len(rows) - len(shown)
    more = [f"{counted(left, 'more row')}: see --all."] if left else []
    return [Fitting(made), Text("\n".join([*more, *sentences(rows)]))]


def _cells(row: InModelRow | None) -> list[Text]:
    """The share of attention and both savings; none beside the name of a step."""
    if row is None:
        return []
    return [Text(part(row.attention)), Text(part(row.by_attention)), Text(saved(row))]


def _leads(rows: Sequence[InModelRow]) -> list[tuple[str, InModelRow | None]]:
    """The name of each row; before those of a step the model and the step."""
    named, before = titles(row.problem for row in rows), None
    found: list[tuple[str, InModelRow | None]] = []
    for row in rows:
        if row.problem != before:
            found.append((named[row.problem], None))
        found.append((f"  {abbreviated(row.implementation, MOST)}", row))
        before = row.problem
    return found
