"""Pairs without a time, with the reason: a table, or a line for each state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, state, table
from reports.rows.answers import STATES
from reports.views import left_out
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.statuses import STATUS_WORDS
from reports.views.text import LONGEST_TEXT, abbreviated, capitalized, counted

MOST_NAMES: Final = 2
"""Implementations named in a line; more are counted."""


def not_measured_tables(analysis: Analysis, *, every: bool) -> list[RenderableType]:
    """Pairs without a time: a row per implementation, state and reason, or a line for each state.

    Empty where everything was measured and no slow start was left out.

    every  all rows; otherwise those of implementations named with --impl, or of a run without a
           time, and the others are counted. Faults are among the last lines of a run. What the
           run left out is named in any case
    """
    rows = [row for row in not_measured(analysis) if every or not row.is_fault]
    without = [left_out.sentence(analysis.plan), left_out.of_suite(analysis.plan)]
    if every or not analysis.measurements:
        return [*_table(analysis, rows), *_lines(without)]
    named = [row for row in rows if row.implementation in analysis.plan.named]
    counts = _counts(analysis, [row for row in rows if row not in named])
    return [*_table(analysis, named), *_lines([*counts, *without])]


def _table(analysis: Analysis, rows: Sequence[NotMeasured]) -> list[RenderableType]:
    """One row per implementation, state and reason; a fault with the first problem of it."""
    if not rows:
        return []
    made = table("Not measured" if analysis.plan.sessions else "Without agreement")
    made.add_column("implementation", no_wrap=True)
    made.add_column("")
    made.add_column("problems", justify="right")
    made.add_column("reason", overflow="fold")
    for row in rows:
        made.add_row(
            Text(_name(row)),
            state(row.status),
            str(row.count),
            Text(_reason(row)),
        )
    return [Fitting(made)]


def _name(row: NotMeasured) -> str:
    """The name, and below it whether it ever ran on a device that this run lacks."""
    name = abbreviated(row.implementation, MOST)
    return f"{name}\n  {row.ran_on}" if row.ran_on else name


def _counts(analysis: Analysis, rows: Sequence[NotMeasured]) -> list[str]:
    """`Refused: 48 of 121 answers, of 6 implementations (see --all).`."""
    every = counted(len(analysis.outcomes), "answer")
    lines = []
    for status in STATES:
        own = [row for row in rows if row.status == status]
        names = list(dict.fromkeys(row.implementation for row in own))
        if own:
            count = sum(row.count for row in own)
            shown = " and ".join(abbreviated(name, MOST) for name in names)
            who = shown if len(names) <= MOST_NAMES else counted(len(names), "implementation")
            word = capitalized(STATUS_WORDS[status])
            lines.append(f"{word}: {count} of {every}, of {who}{_cause(own)}.")
    return lines


def _lines(sentences: Sequence[str]) -> list[RenderableType]:
    said = "\n".join(filter(None, sentences))
    return [Text(said)] if said else []


def _cause(rows: Sequence[NotMeasured]) -> str:
    """Where to see why; of missing ones the first reason, which has the line that installs it."""
    why = f": {abbreviated(rows[0].reason, LONGEST_TEXT)}" if rows[0].status == "missing" else ""
    return why if why and len(rows) == 1 else f"{why} (see --all)"


def _reason(row: NotMeasured) -> str:
    """The reason, of a fault the first problem and the cure, which stay where the reason is cut."""
    if not row.is_fault:
        return abbreviated(row.reason, LONGEST_TEXT)
    most = LONGEST_TEXT // 3
    place = abbreviated(f"{'first ' if row.count > 1 else ''}on {row.problems[0]}", most)
    why = abbreviated(row.reason, most if row.cure else 2 * most - 2)
    return "; ".join([why, place, *([abbreviated(f"cure: {row.cure}", most)] if row.cure else [])])
