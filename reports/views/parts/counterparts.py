"""The backward share, the cost of positions, and 16 bits beside float32, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.counterparts import Counterpart
from reports.analysis.run_analysis import Analysis
from reports.views.commands import repeat_command, setting_options
from reports.views.counterparts import QUESTIONS, Question, questions_of
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value

ORDER: Final = 0.6


def section(analysis: Analysis) -> Section | None:
    """A table for each question with an answer; on demand in suites that do not ask it."""
    own = questions_of(analysis)
    tables = tuple(_tables(analysis, own or QUESTIONS))
    if not tables:
        return None
    heading = own[0].heading if own else "Training, positions and 16 bits"
    return Section(
        id="counterparts",
        heading=heading,
        tables=tables,
        on_demand="" if own else "Show the tables",
    )


def _tables(
    analysis: Analysis, questions: list[Question] | tuple[Question, ...]
) -> Iterator[Table]:
    for question in questions:
        rows = tuple(_row(analysis, question, each) for each in question.found(analysis))
        if rows:
            yield Table(
                caption=f"{question.heading}. {question.note}",
                head=("problem", "implementation", *question.columns),
                rows=rows,
                shown=2 + len(question.columns),
            )


def _row(analysis: Analysis, question: Question, each: Counterpart) -> Row:
    row, plan = each.row, analysis.plan
    entry = next(one for one in plan.entries if one.name == row.implementation)
    cells = (
        Value(str(row.problem)),
        Value(row.implementation),
        *(
            Value(text(each), question.ordered[head](each) if head in question.ordered else None)
            for head, text in question.columns.items()
        ),
    )
    command = repeat_command(row.problem, entry, plan.inputs_of(row.problem))
    return Row(
        cells,
        facets(row.problem, row.implementation),
        command + setting_options(plan, row.threads),
    )
