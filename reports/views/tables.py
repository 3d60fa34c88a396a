"""The tables of measurements and verdicts of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import CASE, Measurement
from reports.rows.panels import panels_of
from reports.views.cases import Labels, joined, labels_of
from reports.views.commands import (
    against_option,
    interleaved_command,
    repeat_command,
    setting_options,
)
from reports.views.measured_columns import COLUMNS, THREADS, Column
from reports.views.numbers import floor, ratio, ratio_in
from reports.views.problems import facets
from reports.views.sections import SHOWN, Row, Table, Value
from reports.views.values import figure, order, whole
from reports.views.verdicts import reason, verdict
from suites.records.plan import Entry, Plan

_SORTS: Final = "A heading sorts by its column."


def measurement_table(analysis: Analysis) -> Table:
    """One row per problem, implementation and number of threads that has a time."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    columns = [*([THREADS] if several else []), *filter(_has_figures(analysis), COLUMNS)]
    named = [CASE] if labels_of(analysis.plan) else []
    bases = {_place(row): row.baseline for row in analysis.verdicts}
    per = ", implementation and number of threads" if several else " and implementation"
    return Table(
        caption=f"One row per problem{per}. {_SORTS}",
        head=("problem", *named, "implementation", *(each.head for each in columns)),
        rows=tuple(
            _measured(
                row, analysis.plan, entries, columns, bases.get(_place(row), ""), named=bool(named)
            )
            for row in analysis.measurements
        ),
        shown=SHOWN + several + len(named),
        names=("problem", *named, "implementation", *(each.name for each in columns)),
    )


def verdict_tables(analysis: Analysis) -> Iterator[tuple[str, Table]]:
    """The comparisons of each panel that has any, by the name of the panel."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    named = labels_of(analysis.plan)
    head = (
        "problem",
        *([CASE] if named else []),
        "implementation",
        *(["threads"] if several else []),
        "ratio [95 %]",
        "verdict",
        "reason",
        "more sessions",
        "floor",
        "against",
        "sessions",
        "disturbed rounds",
        "ratio with disturbed",
    )
    for panel in panels_of(analysis.plan):
        rows = [row for row in analysis.verdicts if row.panel == panel]
        if rows:
            caption = f"One row per comparison with the baseline. {_SORTS}"
            own = tuple(_compared(row, analysis.plan, entries, named) for row in rows)
            yield panel, Table(caption, head, own, shown=SHOWN + several + bool(named))


def _place(row: Measurement | VerdictRow) -> tuple[Problem, str, int]:
    return row.problem, row.implementation, row.threads


def _has_figures(analysis: Analysis) -> Callable[[Column], bool]:
    """Whether a column is shown: an optional one needs a row with a figure."""
    return lambda column: (
        column.figure is None
        or any(column.figure(row) is not None for row in analysis.measurements)
    )


def _measured(
    row: Measurement,
    plan: Plan,
    entries: dict[str, Entry],
    columns: Sequence[Column],
    base: str,
    *,
    named: bool,
) -> Row:
    """The row of a measurement; base: the baseline of its verdict, empty without one."""
    cells = (
        Value(str(row.problem)),
        *([Value(row.case)] if named else []),
        Value(row.implementation),
        *(column.value(row) for column in columns),
    )
    files = plan.inputs_of(row.problem)
    command = repeat_command(row.problem, entries[row.implementation], files)
    return Row(
        cells,
        facets(row.problem, row.implementation),
        command + setting_options(plan, row.threads),
        against_option(row.problem, plan, base),
    )


def _compared(row: VerdictRow, plan: Plan, entries: dict[str, Entry], named: Labels) -> Row:
    threads = [whole(row.threads)] if len(plan.threads) > 1 else []
    cells = (
        Value(str(row.problem)),
        *([Value(joined(row.problem, named))] if named else []),
        Value(row.implementation),
        *threads,
        figure(row.ratio, ratio_in(row.ratio, row.low, row.high), "none"),
        Value(verdict(row)),
        Value(reason(row)),
        whole(row.more_sessions, ""),
        figure(row.floor, floor(row.floor), "no twin"),
        Value(row.baseline),
        whole(row.sessions),
        Value(f"{row.disturbed} of {row.rounds}", order(row.disturbed)),
        figure(row.ratio_all, ratio(row.ratio_all), ""),
    )
    command = interleaved_command(
        row.problem,
        entries[row.baseline],
        entries[row.implementation],
        sessions=plan.sessions,
        files=plan.inputs_of(row.problem),
    )
    settings = setting_options(plan, row.threads)
    return Row(cells, facets(row.problem, row.implementation), command + settings)
