"""The known orderings of peers in the terminal, and why one is not reproduced."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.orderings import ordering_rows
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views.orderings import EXPECTED, HEADING, SUITE, measured, pair, summary, why
from reports.views.problems import shared_words, without
from reports.views.text import abbreviated


def ordering_table(analysis: Analysis, *, every: bool) -> list[RenderableType]:
    """The orderings with expected and measured ratios; empty in other suites without `every`."""
    rows = ordering_rows(analysis) if every or analysis.plan.suite == SUITE else []
    if not rows:
        return []
    shared = shared_words({row.problem for row in rows})
    names = [Name(abbreviated(pair(row), MOST)) for row in rows]
    made = table(HEADING)
    made.add_column("", overflow="fold", min_width=max(name.least for name in names))
    made.add_column("problem", overflow="fold")
    made.add_column("expected", overflow="fold")
    made.add_column("here [95 %]", justify="right", no_wrap=True)
    made.add_column("reproduced", overflow="fold")
    for name, row in zip(names, rows, strict=True):
        made.add_row(
            name,
            Text(without(row.problem, shared)),
            Text(EXPECTED[row.ordering.expected]),
            Text(measured(row)),
            Text(row.state),
        )
    reasons = {f"{pair(row)}: {said}" for row in rows if (said := why(analysis, row))}
    return [Fitting(made), Text("\n".join([summary(rows), *sorted(reasons)]), style="dim")]
