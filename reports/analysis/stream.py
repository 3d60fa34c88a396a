"""Sums over a stream of problems, one after the other in a process with compiled code kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from reports.analysis.run_analysis import Analysis
from reports.rows.timings import session_ms
from suites.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The sums of one implementation: medians over the sessions; None: not recorded.

    Which of the problems pays for a compilation depends on their order, which differs by session.
    So the sums are formed first.

    calls          problems with a time, each called for the first time in its process
    first_ms       first calls with the preparation before them
    warm_ms        the same calls once they are warm
    compilations   graphs that torch compiled
    growth_bytes   growth of the process's resident memory while they were set up
    """

    implementation: str
    calls: int
    first_ms: float | None
    warm_ms: float
    compilations: float | None
    growth_bytes: float | None


def streams(analysis: Analysis, panel: str) -> tuple[Stream, ...]:
    """The stream of each implementation with a time for every problem that any of them has."""
    if not analysis.plan.keep_compiled:
        return ()
    timed = {
        (row.problem, row.implementation)
        for row in analysis.with_most_threads
        if row.panel == panel
    }
    found: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in analysis.records:
        most = analysis.plan.threads_of(record.session) == analysis.most_threads
        if record.pair in timed and record.times_ms and most:
            found[record.implementation][record.session].append(record)
    made = [_stream(name, list(sessions.values())) for name, sessions in found.items()]
    calls = max((each.calls for each in made), default=0)
    return tuple(each for each in made if each.calls == calls)


def _stream(name: str, sessions: list[list[Record]]) -> Stream:
    return Stream(
        implementation=name,
        calls=min(map(len, sessions)),
        first_ms=_median_sum(sessions, _first_ms),
        warm_ms=median(sum(map(session_ms, records)) for records in sessions),
        compilations=_median_sum(sessions, lambda record: record.compilations),
        growth_bytes=_median_sum(sessions, lambda record: record.set_up_bytes),
    )


def _first_ms(record: Record) -> float | None:
    first_ms = record.first_call_ms
    return None if first_ms is None else first_ms + (record.prepare_ms or 0.0)


def _median_sum(
    sessions: Iterable[list[Record]], figure: Callable[[Record], float | None]
) -> float | None:
    """The median over the sessions of the sum over the records that have the figure."""
    sums = []
    for records in sessions:
        known = [value for value in map(figure, records) if value is not None]
        if known:
            sums.append(sum(known))
    return median(sums) if sums else None
