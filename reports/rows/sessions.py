"""Facts of the sessions of a run: ceilings, CPUs, clock, and time spent inside calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from statistics import median
from typing import Any

from suites.records.record import Record
from suites.records.store import Run
from suites.stats.ceilings import Ceiling

Ceilings = Mapping[int, Sequence[Ceiling]]
"""The ceilings that each session measured."""


def ceilings(run: Run) -> Ceilings:
    """The ceilings of each session; a session measured again has those of all its processes."""
    found: dict[int, list[Ceiling]] = defaultdict(list)
    for fact in run.facts:
        found[fact.session] += fact.ceilings
    return found


def median_ceilings(run: Run, threads: int | None = None) -> list[Ceiling]:
    """The median of each ceiling over the sessions with a number of threads.

    threads  None: the plan's largest number
    """
    found: dict[tuple[Any, ...], list[Ceiling]] = defaultdict(list)
    count = threads or max(run.plan.threads)
    own = (each for session, each in ceilings(run).items() if run.plan.threads_of(session) == count)
    for each in chain.from_iterable(own):
        found[each.device, each.kind, each.dtype, each.residency].append(each)
    return [
        Ceiling(
            kind=own[0].kind,
            dtype=own[0].dtype,
            residency=own[0].residency,
            device=own[0].device,
            value=median(each.value for each in own),
        )
        for own in found.values()
    ]


def clock_resolution_ms(run: Run) -> float | None:
    """The median over the sessions of the smallest step of the clock; None: not recorded."""
    steps = [step for fact in run.facts if (step := fact.clock_resolution_ms) is not None]
    return median(steps) if steps else None


def share_inside_calls(run: Run, records: Iterable[Record]) -> float | None:
    """The share of the run's wall time spent inside calls of implementations.

    None for a run that has not ended, and where no record has this time.
    """
    spent_ms = [record.calls_ms for record in records if record.calls_ms is not None]
    seconds = wall_s(run)
    return sum(spent_ms) / 1e3 / seconds if spent_ms and seconds else None


def wall_s(run: Run) -> float:
    """Seconds from start to end of the run; 0 where that is not known."""
    if run.ended is None:
        return 0.0
    try:
        wall = datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)
    except (ValueError, TypeError):  # no times of day, or only one of them with a time zone
        return 0.0
    return wall.total_seconds()
