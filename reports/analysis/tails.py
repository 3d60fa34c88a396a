"""Tails: percentiles of single calls, for runs that asked for them with --tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from reports.rows.answers import Timed
from reports.rows.panels import panel_on
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats.percentiles import Percentile, nearest_rank, percentile

PERCENTS: Final = (50, 95, 99)
HIGHEST: Final = PERCENTS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRow:
    """The percentiles of one problem, implementation and number of threads.

    calls         of all sessions, those of disturbed rounds included
    disturbed     calls in disturbed rounds
    percentiles   of these calls, one for each of PERCENTS; None: too few calls for an interval
    session_low_ms, session_high_ms
                  the smallest and the largest p99 of a session, which show how far processes
                  differ; None: too few calls in some session
    slowest_ms    the slowest call
    """

    problem: Problem
    implementation: str
    panel: str
    threads: int
    sessions: int
    calls: int
    disturbed: int
    percentiles: tuple[Percentile | None, ...]
    session_low_ms: float | None
    session_high_ms: float | None
    slowest_ms: float


COLUMNS: Final = (
    "problem",
    "implementation",
    "panel",
    "threads",
    "sessions",
    "calls",
    "disturbed",
    *(f"p{percent}_{end}" for percent in PERCENTS for end in ("ms", "low_ms", "high_ms")),
    f"p{HIGHEST}_session_low_ms",
    f"p{HIGHEST}_session_high_ms",
    "slowest_ms",
)
"""The columns of `tail_columns`."""


def tails(plan: Plan, timed: Timed) -> list[TailRow]:
    """A row for each pair and number of threads; none for a run without --tail.

    Samples that are means of several calls have no percentiles, and are left out.
    """
    if not plan.tail:
        return []
    panels = {entry.name: entry.panel for entry in plan.entries}
    return [
        _row(problem, name, panel_on(panels[name], problem.model), threads, single)
        for (problem, threads), found in timed.items()
        for name, records in found.items()
        if (single := [record for record in records if record.calls_per_sample == 1])
    ]


def tail_columns(row: TailRow) -> dict[str, Any]:
    """A row as columns; None where too few calls give no interval."""
    found = {name: getattr(row, name) for name in COLUMNS[:7]} | {"problem": str(row.problem)}
    for percent, each in zip(PERCENTS, row.percentiles, strict=True):
        ends = (each.value, each.low, each.high) if each else (None, None, None)
        names = (f"p{percent}_{end}" for end in ("ms", "low_ms", "high_ms"))
        found |= dict(zip(names, ends, strict=True))
    slowest = (row.session_low_ms, row.session_high_ms, row.slowest_ms)
    return found | dict(zip(COLUMNS[-3:], slowest, strict=True))


def _row(
    problem: Problem, name: str, panel: str, threads: int, records: Sequence[Record]
) -> TailRow:
    calls = [time_ms for record in records for time_ms in record.times_ms]
    by_session = [_of_session(record) for record in records]
    known = [each for each in by_session if each is not None]
    every = known if len(known) == len(by_session) else []
    return TailRow(
        problem=problem,
        implementation=name,
        panel=panel,
        threads=threads,
        sessions=len(records),
        calls=len(calls),
        disturbed=sum(record.disturbed_rounds for record in records),
        percentiles=tuple(percentile(calls, percent) for percent in PERCENTS),
        session_low_ms=min(every, default=None),
        session_high_ms=max(every, default=None),
        slowest_ms=max(calls),
    )


def _of_session(record: Record) -> float | None:
    """The highest percentile of one session; None where none of its calls would be above it."""
    calls = sorted(record.times_ms)
    return nearest_rank(calls, HIGHEST) if len(calls) * (100 - HIGHEST) >= 100 else None
