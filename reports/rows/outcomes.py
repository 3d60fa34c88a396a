"""How every planned answer ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from impls.interface import Problem
from reports.rows.answers import STATES, Ending, State, answers, state, with_times
from reports.rows.evidence import Evidence, evidence
from reports.rows.panels import panel_on
from suites.records.record import Record
from suites.records.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One planned problem and implementation.

    status  the most severe state of its records; not_reached without one
    reason  the cause in words; empty without a record that is not ok
    slip    key of the common slip that explains it; empty: none is known
    cure    what to change, in words; empty: not known
    notes   how it was called, in words
    timed   whether it has valid times
    """

    problem: Problem
    implementation: str
    panel: str
    status: State
    cause: Ending
    reason: str
    slip: str = ""
    cure: str = ""
    notes: str = ""
    evidence: Evidence
    timed: bool


def outcomes(run: Run, records: Iterable[Record]) -> list[Outcome]:
    """One row for each planned problem and implementation, in the plan's order."""
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    return [
        _outcome(problem, name, panel_on(panels[name], problem.model), found)
        for (problem, name), found in answers(run, records).items()
    ]


def _outcome(problem: Problem, name: str, panel: str, found: Sequence[Record]) -> Outcome:
    faults = [record for record in found if record.status != "ok"]
    worst = min(faults, key=lambda record: STATES.index(state(record)), default=None)
    unreached: tuple[State, Ending] = ("ok", "") if found else ("not_reached", "run_ended")
    status, cause = (state(worst), worst.cause) if worst else unreached
    return Outcome(
        problem=problem,
        implementation=name,
        panel=panel,
        status=status,
        cause=cause,
        reason=worst.reason if worst else "",
        slip=worst.slip if worst else "",
        cure=worst.cure if worst else "",
        notes="; ".join(dict.fromkeys(note for record in found for note in record.notes)),
        evidence=evidence(found, panel),
        timed=bool(with_times(found)),
    )


def missing_time(run: Run, outcome: Outcome) -> tuple[State, Ending] | None:
    """The state and cause of an answer without a time; None where no time is missing.

    A check has no timed sessions: an answer that is ok lacks nothing there.
    """
    if outcome.timed or (outcome.status == "ok" and run.plan.sessions == 0):
        return None
    if outcome.status == "ok":
        return "not_reached", "run_ended"
    return outcome.status, outcome.cause
