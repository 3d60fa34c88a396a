"""Known orderings of peers: expected, measured here, and whether they are reproduced."""

from __future__ import annotations

from typing import Final

from reports.analysis.orderings import OrderingRow, ordering_rows
from reports.analysis.run_analysis import Analysis
from reports.views.commands import interleaved_command, setting_options
from reports.views.orderings import EXPECTED, HEADING, NOTE, SUITE, measured, pair, summary, why
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value

ORDER: Final = 0.7
_CAPTION: Final = "Ratios of times: one row per ordering and problem."
_HEAD: Final = (
    *("times of", "problem", "expected", "here [95 %]", "reproduced"),
    *("why not", "earlier measurement"),
)


def section(analysis: Analysis) -> Section | None:
    """The orderings as a table, folded in other suites; None without two of one in the run."""
    rows = ordering_rows(analysis)
    if not rows:
        return None
    return Section(
        id="orderings",
        heading=HEADING,
        sentences=(summary(rows),),
        tables=(
            Table(
                f"{_CAPTION} {NOTE}", _HEAD, tuple(_row(analysis, each) for each in rows), shown=6
            ),
        ),
        on_demand="" if analysis.plan.suite == SUITE else "Show the orderings",
    )


def _row(analysis: Analysis, row: OrderingRow) -> Row:
    entries = {entry.name: entry for entry in analysis.plan.entries}
    ratio = None if row.found is None else row.found.ratio
    cells = (
        Value(pair(row)),
        Value(str(row.problem)),
        Value(EXPECTED[row.ordering.expected]),
        Value(measured(row), float("nan") if ratio is None else ratio),
        Value(row.state),
        Value(why(analysis, row)),
        Value(row.ordering.seen),
    )
    command = interleaved_command(
        row.problem,
        entries[row.ordering.other],
        entries[row.ordering.row],
        sessions=analysis.plan.sessions,
        files=analysis.plan.inputs_of(row.problem),
    )
    settings = setting_options(analysis.plan, analysis.most_threads)
    return Row(cells, facets(row.problem, row.ordering.row), command + settings)
