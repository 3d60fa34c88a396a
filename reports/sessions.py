"""What the sessions of a run tell of themselves: ceilings, their clock, and where the time went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from statistics import median
from typing import Any

from reports import words
from reports.judging.verdict_words import percent
from reports.timings import ceilings
from suites.records.record import Record
from suites.records.store import Run
from suites.stats.ceilings import Ceiling


def median_ceilings(run: Run) -> list[Ceiling]:
    """The median of each ceiling over the sessions with the plan's largest number of threads."""
    found: dict[tuple[Any, ...], list[Ceiling]] = defaultdict(list)
    most = max(run.plan.threads)
    own = (told for session, told in ceilings(run).items() if run.plan.threads_of(session) == most)
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


def facts(run: Run) -> Iterator[tuple[str, str]]:
    """Names and values: measured ceilings, CPUs and clock; nothing where no session told them.

    What a session told and the store could not read has its fault instead.
    """
    for each in median_ceilings(run):
        unit = "GFLOP/s" if each.kind == "matmul" else "GB/s"
        kind = " ".join(filter(None, [each.kind, each.dtype]))
        rate = f"{words.three_digits(each.value / 1e9)} {unit}"
        yield f"measured {kind} in {each.residency}", f"{rate} on {each.device}"
    if bound := {tuple(cpus) for fact in run.facts if (cpus := fact.get("affinity"))}:
        yield "CPUs of sessions", " or ".join(", ".join(map(str, own)) for own in sorted(bound))
    steps = [step for fact in run.facts if (step := fact.get("clock_resolution_ms")) is not None]
    if steps:
        yield "clock resolution", f"{words.three_digits(median(steps) * 1e6)} ns"
    for fact in run.facts:
        if fault := fact.get("fault"):
            yield f"session {fact.get('session')}", f"its facts cannot be read: {fault}"


def share_inside_calls(run: Run, records: Iterable[Record]) -> float | None:
    """The part of the run's wall time spent inside calls of implementations.

    None for a run that has not ended, and where no record tells.
    """
    spent_ms = [record.calls_ms for record in records if record.calls_ms is not None]
    wall_s = _wall_s(run)
    return sum(spent_ms) / 1e3 / wall_s if spent_ms and wall_s else None


def inside_words(run: Run, records: Iterable[Record]) -> str:
    """That share in words, empty without one: 63 % of 20 min 17 s inside calls of ..."""
    share = share_inside_calls(run, records)
    if share is None:
        return ""
    wall = words.duration(_wall_s(run))
    return f"{percent(share)} of {wall} inside calls of implementations"


def _wall_s(run: Run) -> float:
    if run.ended is None:
        return 0.0
    try:
        wall = datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)
    except (ValueError, TypeError):  # no moments, or one of them of no time zone
        return 0.0
    return wall.total_seconds()
