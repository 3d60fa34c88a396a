"""Timed records of one pair to columns: times, disturbances, and how close to the attainable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from impls.interface import Problem
from suites.records.plan import Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run
from suites.stats.ceilings import Ceiling, from_json, share

TIMING_COLUMNS: Final = (
    "sessions",
    "samples",
    "disturbed",
    "median_ms",
    "low_ms",
    "high_ms",
    "first_call_ms",
    "page_faults",
    "share_of_attainable",
    "clock",
    "host_ms",
    "sustained_ms",
    "cross_check_ms",
    "checked_again",
)
Ceilings = Mapping[int, Sequence[Ceiling]]
"""What each session measured the machine to do at best."""


def ceilings(run: Run) -> Ceilings:
    """The ceilings of each session that told any; those of all its processes together."""
    found: dict[int, list[Ceiling]] = defaultdict(list)
    for fact in run.facts:
        found[fact.get("session", CHECK)] += from_json(fact.get("ceilings") or ())
    return found


def by_threads(plan: Plan, timed: Iterable[Record]) -> dict[int, list[Record]]:
    """Timed records apart by the OpenMP threads planned for their session, the fewest first."""
    found: dict[int, list[Record]] = defaultdict(list)
    for record in timed:
        found[plan.threads_of(record.session)].append(record)
    return dict(sorted(found.items()))


def session_ms(record: Record) -> float:
    """What one session tells: the median of the rounds that figures are made from."""
    return median(record.times_ms[index] for index in record.rounds)


def timing(
    problem: Problem, timed: Sequence[Record], found: Ceilings, panel: str
) -> dict[str, Any]:
    """The columns of TIMING_COLUMNS, of one pair's records with times and the same threads."""
    medians = [session_ms(record) for record in timed]
    return {
        "sessions": len(timed),
        "samples": sum(len(record.times_ms) for record in timed),
        "disturbed": _disturbed(timed),
        "median_ms": median(medians),
        "low_ms": min(medians),
        "high_ms": max(medians),
        "first_call_ms": _median(timed, lambda record: record.first_call_ms),
        "page_faults": _median(timed, lambda record: record.page_faults),
        "share_of_attainable": _middle(
            _share(problem, time_ms, found.get(record.session, ()), panel)
            for record, time_ms in zip(timed, medians, strict=True)
        ),
        "clock": ", ".join(sorted({record.clock for record in timed if record.clock})),
        "host_ms": _median(timed, lambda record: record.host_ms),
        "sustained_ms": _median(timed, lambda record: record.sustained_ms),
        "cross_check_ms": _median(timed, lambda record: record.cross_check_ms),
        "checked_again": any(record.checked_again for record in timed),
    }


def _share(problem: Problem, time_ms: float, found: Sequence[Ceiling], panel: str) -> float | None:
    """The part of the attainable that a session reached; None where the clock stood still."""
    return share(problem, time_ms, found, panel) if time_ms else None


def _disturbed(timed: Iterable[Record]) -> int | None:
    told = [record.conditions for record in timed if record.conditions is not None]
    return sum(sum(map(bool, each.disturbed)) for each in told) if told else None


def _median(timed: Iterable[Record], figure: Callable[[Record], float | None]) -> float | None:
    return _middle(map(figure, timed))


def _middle(values: Iterable[float | None]) -> float | None:
    """The median of those that are known."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
