"""Results of learning in the terminal: the verdicts, and a short table of each task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.learning.learnt import LearntTask, tasks
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import Name, table
from reports.views.learning import page as views
from reports.views.learning import verdicts
from reports.views.text import LONGEST_TEXT, abbreviated, counted
from suites.training import LearntRun

COLUMNS: Final = verdicts.SHOWN
"""Columns of the page's table that the terminal shows."""


def learning_tables(found: LearntRun) -> Iterator[RenderableType]:
    """The verdicts, the faults and named ones that were not trained, and the tables."""
    every = tasks(found)
    for sentence in views.sentences(found):
        yield Text(sentence, style="bold")
    for each in every:
        for reason in verdicts.reasons(each, found.named):
            yield Text(abbreviated(reason, LONGEST_TEXT), style="red")
    for each in every:
        if each.trained and each.task.is_judged:
            yield _table(each)
    if left := _left(every):
        yield Text(left)


def _table(found: LearntTask) -> RenderableType:
    shown = verdicts.table(found)
    made = table(shown.caption)
    made.add_column(shown.head[0], overflow="fold")
    for head in shown.head[1:COLUMNS]:
        made.add_column(head, justify="right", no_wrap=True)
    for row in shown.rows:
        first, *others = row.cells[:COLUMNS]
        made.add_row(Name(first.text), *(Text(cell.text) for cell in others))
    return Fitting(made)


def _left(every: list[LearntTask]) -> str:
    """A line that counts implementations which no task was trained with."""
    untrained = {row.training.implementation for each in every for row in each.untrained}
    trained = {row.training.implementation for each in every for row in each.trained}
    left = untrained - trained
    if not left:
        return ""
    return f"{counted(len(left), 'implementation')} not trained; the page has the reasons."
