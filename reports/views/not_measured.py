"""Planned pairs without a time; equal reasons of an implementation are one row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.rows.answers import STATES, Ending, State
from reports.rows.outcomes import Outcome, missing_time
from reports.views import ran_on
from reports.views.statuses import reason
from suites.records.record import ANSWERS


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """An implementation without times on some problems, for one reason.

    reason  of the first problem, where a slip explains all of them
    slip    key of the common slip; empty: none is known
    cure    what to change; empty: not known
    ran_on  of an implementation for a device that this run lacks: `never run`, or where and when
    """

    implementation: str
    status: State
    cause: Ending
    reason: str
    slip: str = ""
    cure: str = ""
    ran_on: str = ""
    problems: tuple[Problem, ...]

    @property
    def count(self) -> int:
        """The number of problems."""
        return len(self.problems)

    @property
    def explanation(self) -> str:
        """The reason, with the cure where there is one."""
        return "; cure: ".join(part for part in (self.reason, self.cure) if part)

    @property
    def is_fault(self) -> bool:
        """Whether the implementation is at fault; otherwise its limits or the machine's are."""
        return self.status not in (*ANSWERS, "not_reached")


def not_measured(analysis: Analysis) -> list[NotMeasured]:
    """One row for each implementation, state and slip or reason; the most severe state first.

    A run without timed sessions has rows only for answers that do not agree.
    """
    found: dict[tuple[str, State, Ending, str], list[Outcome]] = defaultdict(list)
    for row in analysis.outcomes:
        missing = missing_time(analysis.run, row)
        if missing is not None:
            status, cause = missing
            key = (row.implementation, status, cause, row.slip or reason(cause, row.reason))
            found[key].append(row)
    notes = ran_on.notes(analysis)
    rows = (
        NotMeasured(
            implementation=name,
            status=status,
            cause=cause,
            reason=reason(cause, own[0].reason),
            slip=own[0].slip,
            cure=own[0].cure,
            ran_on=notes.get(name, ""),
            problems=tuple(row.problem for row in own),
        )
        for (name, status, cause, _), own in found.items()
    )
    return _ordered(rows, [entry.name for entry in analysis.plan.entries])


def _ordered(rows: Iterable[NotMeasured], names: list[str]) -> list[NotMeasured]:
    place = {name: index for index, name in enumerate(names)}
    return sorted(rows, key=lambda row: (STATES.index(row.status), place[row.implementation]))
