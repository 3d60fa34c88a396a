"""Each rank's part of a call that a group of processes computes together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from impls.interface import Problem
from reports.rows.answers import answers
from suites.records.on_rank import OnRank
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.intervals import mean_half_width


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """One rank of an implementation on a problem; None: not measured.

    rank              its number, from 0
    sessions          timed sessions that have a time of it
    call_ms           its time of one call, the median over the sessions
    sent_bytes        that it sends to other ranks in one call
    peak_bytes        requested bytes above its parts of the inputs
    communication_ms  the transfers of one call alone, the median over the sessions
    arithmetic_ms     one call with transfers that move nothing, the median over the sessions
    overlap           share of the shorter of the two that the other one hides, the mean over the
                      sessions; None as well where its 95 % interval is wider than WIDEST
    """

    problem: Problem
    implementation: str
    rank: int
    sessions: int
    call_ms: float | None
    sent_bytes: int | None
    peak_bytes: int | None
    communication_ms: float | None
    arithmetic_ms: float | None
    overlap: float | None


WIDEST: Final = 0.5
"""Half-width of the interval of an overlap that says whether half of the shorter part is hidden.
Where transfers take 2 % of a call, noise of 2 % moves the overlap from 0 to 1."""
COLUMNS: Final = tuple(RankRow.__dataclass_fields__)


def ranks(run: Run, records: Iterable[Record]) -> list[RankRow]:
    """A row for each rank of what was answered by a group, in the plan's order.

    Times are those with the plan's largest number of threads. An implementation with a record that
    is not ok has no row on that problem.
    """
    return [
        row
        for (problem, name), found in answers(run, records).items()
        if all(record.status == "ok" for record in found)
        for row in _rows(problem, name, _with_most_threads(run.plan, found))
    ]


def _with_most_threads(plan: Plan, found: Iterable[Record]) -> list[Record]:
    return [each for each in found if plan.threads_of(each.session) == max(plan.threads)]


def _rows(problem: Problem, name: str, found: list[Record]) -> Iterator[RankRow]:
    own: dict[int, list[OnRank]] = {}
    for record in found:
        for each in record.on_ranks:
            own.setdefault(each.rank, []).append(each)
    for rank in sorted(own):
        parts = own[rank]
        times = [each.call_ms for each in parts if each.call_ms is not None]
        yield RankRow(
            problem=problem,
            implementation=name,
            rank=rank,
            sessions=len(times),
            call_ms=_median(times),
            sent_bytes=next((p.sent_bytes for p in parts if p.sent_bytes is not None), None),
            peak_bytes=next((p.peak_bytes for p in parts if p.peak_bytes is not None), None),
            communication_ms=_median(each.communication_ms for each in parts),
            arithmetic_ms=_median(each.arithmetic_ms for each in parts),
            overlap=_resolved([each.overlap for each in parts if each.overlap is not None]),
        )


def _resolved(overlaps: list[float]) -> float | None:
    """The mean overlap; None where the sessions do not tell it."""
    half = mean_half_width(overlaps)
    return fmean(overlaps) if half is not None and half <= WIDEST else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
