"""Figures of one pair: medians over sessions, disturbed rounds, share of the attainable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final, TypedDict

from impls.interface import Problem
from reports.rows.sessions import Ceilings
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats.ceilings import Ceiling, share

US_PER_MS: Final = 1000.0


class Timing(TypedDict):
    """The figures of one pair and one number of threads, as `Measurement` describes them."""

    sessions: int
    samples: int
    disturbed: int | None
    median_ms: float
    low_ms: float
    high_ms: float
    us_per_token: float
    prepare_ms: float | None
    first_call_ms: float | None
    compilations: float | None
    compile_ms: float | None
    set_up_bytes: float | None
    neighbour_ratio: float | None
    page_faults: float | None
    share_of_attainable: float | None
    clock: str
    host_ms: float | None
    unhidden: float | None
    sustained_ms: float | None
    energy_mj: float | None
    cross_check_ms: float | None
    checked_again: bool


def by_threads(plan: Plan, timed: Iterable[Record]) -> dict[int, list[Record]]:
    """Records with times by the OpenMP threads planned for their session, the fewest first."""
    found: dict[int, list[Record]] = defaultdict(list)
    for record in timed:
        found[plan.threads_of(record.session)].append(record)
    return dict(sorted(found.items()))


def session_ms(record: Record) -> float:
    """The time of one session: the median of the rounds that figures are computed from."""
    return median(record.times_ms[index] for index in record.rounds)


def median_ms(timed: Iterable[Record]) -> float | None:
    """The median of the session medians; None without a record."""
    medians = [session_ms(record) for record in timed]
    return median(medians) if medians else None


def timing(problem: Problem, timed: Sequence[Record], found: Ceilings, panel: str) -> Timing:
    """The figures of one pair's records with times and the same threads."""
    medians = [session_ms(record) for record in timed]
    return {
        "sessions": len(timed),
        "samples": sum(len(record.times_ms) for record in timed),
        "disturbed": _disturbed(timed),
        "median_ms": median(medians),
        "low_ms": min(medians),
        "high_ms": max(medians),
        "us_per_token": US_PER_MS * median(medians) / problem.new_tokens,
        "prepare_ms": _median_of(timed, lambda record: record.prepare_ms),
        "first_call_ms": _median_of(timed, lambda record: record.first_call_ms),
        "compilations": _median_of(timed, lambda record: record.compilations),
        "compile_ms": _median_of(timed, lambda record: record.compile_ms),
        "set_up_bytes": _median_of(timed, lambda record: record.set_up_bytes),
        "neighbour_ratio": _median_of(timed, lambda record: record.neighbour_ratio),
        "page_faults": _median_of(timed, lambda record: record.page_faults),
        "share_of_attainable": _median(
            _share(problem, time_ms, found.get(record.session, ()), panel)
            for record, time_ms in zip(timed, medians, strict=True)
        ),
        "clock": ", ".join(sorted({record.clock for record in timed if record.clock})),
        "host_ms": _median_of(timed, lambda record: record.host_ms),
        "unhidden": _median_of(timed, lambda record: record.unhidden),
        "sustained_ms": _median_of(timed, lambda record: record.sustained_ms),
        "energy_mj": _median_of(timed, lambda record: record.energy_mj),
        "cross_check_ms": _median_of(timed, lambda record: record.cross_check_ms),
        "checked_again": any(record.checked_again for record in timed),
    }


def _share(problem: Problem, time_ms: float, found: Sequence[Ceiling], panel: str) -> float | None:
    """The share of the attainable rate that a session reached; None for a time of 0."""
    return share(problem, time_ms, found, panel) if time_ms else None


def _disturbed(timed: Iterable[Record]) -> int | None:
    watched = [record for record in timed if record.conditions is not None]
    return sum(record.disturbed_rounds for record in watched) if watched else None


def _median_of(timed: Iterable[Record], figure: Callable[[Record], float | None]) -> float | None:
    return _median(map(figure, timed))


def _median(values: Iterable[float | None]) -> float | None:
    """The median of the values that were measured."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
