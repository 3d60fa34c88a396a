"""The tables of measurements and verdicts of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.views.commands import interleaved_command, repeat_command, setting_options
from reports.views.numbers import (
    NOT_SEEN,
    attainable,
    floor,
    mebibytes,
    milliseconds,
    number,
    ratio,
    ratio_in,
    share,
    spread,
)
from reports.views.panels import heading
from reports.views.problems import facets
from reports.views.sections import Row, Table, Value
from reports.views.verdicts import reason
from suites.records.plan import Entry, Plan

NOT_RECORDED: Final = "not recorded"
ALONE: Final = " (this process)"
"""Follows the verdict of a single session."""
_SORTS: Final = "A heading sorts by its column."


@dataclass(frozen=True, slots=True)
class SetUpColumn:
    """A column about set-up, shown where some row has a value."""

    head: str
    value: Callable[[Measurement], float | None]


SET_UP: Final = (
    SetUpColumn("prepare ms", lambda row: row.prepare_ms),
    SetUpColumn("compilations", lambda row: row.compilations),
)


def measurement_table(analysis: Analysis) -> Table:
    """One row per problem, implementation and number of threads that has a time."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    set_up = [
        each for each in SET_UP if any(each.value(r) is not None for r in analysis.measurements)
    ]
    per = ", implementation and number of threads" if several else " and implementation"
    return Table(
        caption=f"One row per problem{per}. {_SORTS}",
        head=(
            "problem",
            "implementation",
            *(["threads"] if several else []),
            "median ms",
            "spread ms",
            "sessions",
            "samples",
            "disturbed",
            *(each.head for each in set_up),
            "first call ms",
            "page faults per call",
            "share of attainable",
            "peak MiB",
            "resident MiB",
            "share of the gate",
            "clock",
        ),
        rows=tuple(_measured(row, analysis.plan, entries, set_up) for row in analysis.measurements),
    )


def verdict_tables(analysis: Analysis) -> Iterator[tuple[str, Table]]:
    """The comparisons of each panel that has any, by the name of the panel."""
    several = len(analysis.plan.threads) > 1
    entries = {entry.name: entry for entry in analysis.plan.entries}
    head = (
        "problem",
        "implementation",
        "against",
        *(["threads"] if several else []),
        "ratio [95 %]",
        "verdict",
        "floor",
        "sessions",
        "disturbed rounds",
        "ratio with disturbed",
        "more sessions",
        "reason",
    )
    for panel in panels_of(analysis.plan):
        rows = [row for row in analysis.verdicts if row.panel == panel]
        if rows:
            caption = f"{heading(panel)} against the baseline: one row per comparison. {_SORTS}"
            own = tuple(_compared(row, analysis.plan, entries) for row in rows)
            yield panel, Table(caption, head, own)


def _measured(
    row: Measurement, plan: Plan, entries: dict[str, Entry], set_up: Sequence[SetUpColumn]
) -> Row:
    threads = [_whole(row.threads)] if len(plan.threads) > 1 else []
    between = spread(row.low_ms, row.high_ms) if row.sessions > 1 else "one session"
    rate = attainable(row.share_of_attainable, checked_again=row.checked_again)
    cells = (
        Value(str(row.problem)),
        Value(row.implementation),
        *threads,
        _figure(row.median_ms, milliseconds(row.median_ms)),
        _figure(row.high_ms - row.low_ms, between),
        _whole(row.sessions),
        _whole(row.samples),
        _whole(row.disturbed),
        *(_figure(each.value(row), number(each.value(row)), "none") for each in set_up),
        _figure(row.first_call_ms, milliseconds(row.first_call_ms)),
        _figure(row.page_faults, number(row.page_faults)),
        _figure(row.share_of_attainable, rate),
        _figure(
            row.peak_bytes, mebibytes(row.peak_bytes), NOT_SEEN if row.unseen else NOT_RECORDED
        ),
        _figure(row.resident_bytes, mebibytes(row.resident_bytes)),
        _figure(row.evidence.share, share(row.evidence.share)),
        Value("; ".join(filter(None, (row.clock or NOT_RECORDED, row.notes)))),
    )
    command = repeat_command(row.problem, entries[row.implementation])
    settings = setting_options(plan, row.threads)
    return Row(cells, facets(row.problem, row.implementation), command + settings)


def _compared(row: VerdictRow, plan: Plan, entries: dict[str, Entry]) -> Row:
    threads = [_whole(row.threads)] if len(plan.threads) > 1 else []
    cells = (
        Value(str(row.problem)),
        Value(row.implementation),
        Value(row.baseline),
        *threads,
        _figure(row.ratio, ratio_in(row.ratio, row.low, row.high), "none"),
        Value(row.verdict + (ALONE if row.basis == "this process" else "")),
        _figure(row.floor, floor(row.floor), "no twin"),
        _whole(row.sessions),
        Value(f"{row.disturbed} of {row.rounds}", _order(row.disturbed)),
        _figure(row.ratio_all, ratio(row.ratio_all), ""),
        _whole(row.more_sessions, ""),
        Value(reason(row)),
    )
    command = interleaved_command(
        row.problem, entries[row.baseline], entries[row.implementation], sessions=plan.sessions
    )
    settings = setting_options(plan, row.threads)
    return Row(cells, facets(row.problem, row.implementation), command + settings)


def _whole(count: int | None, absent: str = NOT_RECORDED) -> Value:
    return Value(absent if count is None else str(count), _order(count))


def _figure(value: float | None, text: str, absent: str = NOT_RECORDED) -> Value:
    return Value(text or absent, _order(value))


def _order(value: float | None) -> float:
    """The number a cell is sorted by; NaN where nothing was measured."""
    return float("nan") if value is None else float(value)
