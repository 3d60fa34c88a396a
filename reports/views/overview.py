"""The run in a few sentences: how many answers, how they ended, in how many sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.answers import State
from reports.views.leads import some
from reports.views.not_measured import not_measured
from reports.views.numbers import milliseconds
from reports.views.sections import Section
from reports.views.statuses import NO_TIMES, STATUS_WORDS
from reports.views.text import abbreviated, counted
from suites.records.record import ANSWERS

INTERRUPTED: Final = "The run was interrupted, or is still being written."
MOST_REASONS: Final = 3
"""Reasons of a run in which nothing agrees; more are further down the page."""
_NO_FAULT: Final[tuple[State, ...]] = (*ANSWERS, "not_reached")
"""States of limits and machines, after that of agreement."""


def section(analysis: Analysis) -> Section:
    """The counts of a run as a part of the page."""
    said = tuple(sentences(analysis))
    return Section(id="measured", heading="What was measured", sentences=said)


def sentences(analysis: Analysis) -> list[str]:
    """The counts of a run."""
    problems = counted(len(analysis.plan.problems), "problem")
    whole = counted(len(analysis.plan.entries), "implementation")
    found = [f"{whole} on {problems}: {_endings(analysis)}."]
    if any(row.timed for row in analysis.outcomes):
        found += _timed(analysis)
    elif analysis.plan.sessions:
        found.append(f"{NO_TIMES} The reasons are below.")
    else:
        found.append("This run checks agreement and takes no times.")
    return found


def verdict(analysis: Analysis) -> list[str]:
    """Of a run without an answer: its only times, and how many implementations agree."""
    agreeing = any(row.status == "ok" for row in analysis.outcomes)
    reasons = [] if agreeing else list(_reasons(analysis))
    return [*_alone(analysis), _states(analysis), *reasons]


def _reasons(analysis: Analysis) -> Iterator[str]:
    """The reasons why nothing agrees; faults are stated apart."""
    rows = [row for row in not_measured(analysis) if not row.is_fault]
    for row in rows[:MOST_REASONS]:
        state = STATUS_WORDS[row.status]
        yield f"{abbreviated(row.implementation)}, {state}: {row.explanation}."


def _alone(analysis: Analysis) -> Iterator[str]:
    """One time of the only implementation that has times, or the statement that none has."""
    names = list(dict.fromkeys(row.implementation for row in analysis.measurements))
    if len(names) == 1:
        row = analysis.with_most_threads[-1]
        time = f"{milliseconds(row.median_ms)} ms on {row.problem}"
        yield f"Nothing to compare: {abbreviated(names[0])} alone has times, {time}."
    elif names:
        yield "Nothing to compare: no two implementations of a panel have times."
    elif analysis.plan.sessions:
        yield NO_TIMES


def _states(analysis: Analysis) -> str:
    """How the implementations ended: 7 of 10 implementations agree; wrong: off_by_one."""
    found: dict[State, list[str]] = {state: [] for state in STATUS_WORDS}
    for name, states in _states_of(analysis).items():
        found[_state(states)].append(name)
    whole = counted(len(analysis.plan.entries), "implementation")
    verb = "agrees" if len(found["ok"]) == 1 else "agree"
    others = (
        f"{STATUS_WORDS[state]}: {some(names)}"
        for state, names in found.items()
        if state != "ok" and names
    )
    agreeing = f"{len(found['ok'])} of {whole} {verb} with the reference"
    return f"{'; '.join([agreeing, *others])}."


def _states_of(analysis: Analysis) -> dict[str, set[State]]:
    states: dict[str, set[State]] = {}
    for row in analysis.outcomes:
        states.setdefault(row.implementation, set()).add(row.status)
    return states


def _state(states: set[State]) -> State:
    """The state of an implementation: a fault, else that it agrees, else what prevented it."""
    faults = (state for state in STATUS_WORDS if state not in _NO_FAULT)
    return next(each for each in (*faults, *_NO_FAULT) if each in states)


def sessions_timed(analysis: Analysis) -> int:
    """The number of sessions with times."""
    return len({record.session for record in analysis.records if record.times_ms})


def _timed(analysis: Analysis) -> list[str]:
    timed = [row for row in analysis.outcomes if row.timed]
    names = counted(len({row.implementation for row in timed}), "implementation")
    problems = counted(len({row.problem for row in timed}), "problem")
    return [
        f"{names} measured on {problems} in {_sessions(analysis)}.",
        (
            "The spread of a time reaches from the smallest to the largest session median; "
            "verdicts are drawn from pairs within a session instead."
        ),
    ]


def _sessions(analysis: Analysis) -> str:
    """How many sessions have times, and how many were planned."""
    made, planned = sessions_timed(analysis), len(analysis.plan.session_numbers)
    return counted(made, "session") + (f" of {planned} at most" if made < planned else "")


def _endings(analysis: Analysis) -> str:
    """How the answers ended, each state with its count."""
    rows = analysis.outcomes
    states = Counter("timed" if row.timed else row.status for row in rows)
    every = counted(len(rows), "answer")
    parts = [f"{states['timed']} of {every} timed"]
    if analysis.plan.sessions == 0:
        parts = [f"{states['ok']} of {every} agree"]
    elif states["ok"]:
        parts.append(f"{states['ok']} agreeing but not timed")
    named = (state for state in STATUS_WORDS if state != "ok" and states[state])
    return ", ".join([*parts, *(f"{states[each]} {STATUS_WORDS[each]}" for each in named)])
