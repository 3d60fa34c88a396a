"""The table of what has no time, and why."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, state, table
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.text import LONGEST_TEXT, abbreviated


def not_measured_tables(analysis: Analysis) -> list[RenderableType]:
    """One row per implementation, state and reason; a fault with the first problem it occurred on.

    Empty where everything was measured.
    """
    rows = not_measured(analysis)
    if not rows:
        return []
    made = table("Not measured" if analysis.plan.sessions else "Without agreement")
    made.add_column("implementation", no_wrap=True)
    made.add_column("")
    made.add_column("problems", justify="right")
    made.add_column("reason", overflow="fold")
    for row in rows:
        made.add_row(
            Text(abbreviated(row.implementation, MOST)),
            state(row.status),
            str(row.count),
            Text(_reason(row)),
        )
    return [Fitting(made)]


def _reason(row: NotMeasured) -> str:
    """The reason, of a fault the first problem and the cure, which stay where the reason is cut."""
    if not row.is_fault:
        return abbreviated(row.reason, LONGEST_TEXT)
    most = LONGEST_TEXT // 3
    place = abbreviated(f"{'first ' if row.count > 1 else ''}on {row.problems[0]}", most)
    why = abbreviated(row.reason, most if row.cure else 2 * most - 2)
    return "; ".join([why, place, *([abbreviated(f"cure: {row.cure}", most)] if row.cure else [])])
