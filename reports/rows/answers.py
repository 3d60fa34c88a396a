"""Records by planned problem and implementation, and how each of these ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from impls.interface import Problem
from suites.records.record import Cause, Pair, Record, Status
from suites.records.store import Run

State = Status | Literal["not_reached"]
"""How an answer ended: the status of a record, or that there is none."""
Ending = Cause | Literal["run_ended"]
"""The cause of a state; run_ended: the run ended before the answer was measured."""
STATES: Final[tuple[State, ...]] = (
    "ok",
    "wrong",
    "crashed",
    "failed",
    "out_of_memory",
    "timed_out",
    "refused",
    "missing",
    "not_reached",
)
"""Every state; after `ok` the most severe first."""

Timed = dict[tuple[Problem, int], dict[str, list[Record]]]
"""Records with times: by problem and threads, then by implementation."""


def answers(run: Run, records: Iterable[Record]) -> dict[Pair, list[Record]]:
    """Every planned problem and implementation, in the plan's order, with its records."""
    found: dict[Pair, list[Record]] = {
        (problem, entry.name): [] for problem in run.plan.problems for entry in run.plan.entries
    }
    for record in records:
        if record.pair in found:
            found[record.pair].append(record)
    return found


def state(record: Record) -> State:
    """The state of a record: what the budget of the run left out was not reached."""
    return "not_reached" if record.cause == "budget" else record.status


def with_times(found: Iterable[Record]) -> list[Record]:
    """The records of a pair that carry times; none when any record of the pair is not ok."""
    found = list(found)
    if any(record.status != "ok" for record in found):
        return []
    return [record for record in found if record.times_ms]


def timed(run: Run, records: Iterable[Record]) -> Timed:
    """The records with times of pairs without a fault, in the plan's order."""
    found: Timed = {
        (problem, threads): {} for problem in run.plan.problems for threads in run.plan.threads
    }
    for (problem, name), every in answers(run, records).items():
        for record in with_times(every):
            threads = record.threads or run.plan.threads_of(record.session)
            found.setdefault((problem, threads), {}).setdefault(name, []).append(record)
    return found


def devices_beside_cpu(run: Run, records: Iterable[Record]) -> list[str]:
    """The devices other than the CPU on which a planned answer is ok."""
    found = {
        problem.device
        for (problem, _), own in answers(run, records).items()
        if any(record.status == "ok" for record in own)
    }
    return sorted(found - {"cpu"})
