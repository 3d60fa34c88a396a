"""The backward share, the cost of positions, and 16 bits beside float32 in the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views.counterparts import QUESTIONS, Question, questions_of
from reports.views.problems import common_words, shared_words, without
from reports.views.text import abbreviated


def counterpart_tables(analysis: Analysis, *, every: bool) -> list[RenderableType]:
    """The tables of the questions that the suite asks; of all questions with `every`."""
    questions = QUESTIONS if every else questions_of(analysis)
    return [part for each in questions for part in _table(analysis, each)]


def _table(analysis: Analysis, question: Question) -> list[RenderableType]:
    found = question.found(analysis)
    if not found:
        return []
    shared = shared_words({each.row.problem for each in found})
    common = common_words(found[0].row.problem, shared)
    names = [Name(abbreviated(each.row.implementation, MOST)) for each in found]
    made = table(f"{question.heading}{f' ({common})' if common else ''}")
    made.add_column("problem", overflow="fold")
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    for head in question.columns:
        made.add_column(head, justify="right", no_wrap="[" in head)
    for name, each in zip(names, found, strict=True):
        texts = (Text(text(each)) for text in question.columns.values())
        made.add_row(Text(without(each.row.problem, shared)), name, *texts)
    return [Fitting(made), Text(question.note, style="dim")]
