"""The run in a few sentences: how many answers, how they ended, in how many sessions."""

from __future__ import annotations

from collections import Counter

from reports.analysis.run_analysis import Analysis
from reports.views.statuses import NO_TIMES, STATUS_WORDS
from reports.views.text import counted


def sentences(analysis: Analysis) -> list[str]:
    """The counts of a run, and whether it ended before its plan."""
    problems = counted(len(analysis.plan.problems), "problem")
    whole = counted(len(analysis.plan.entries), "implementation")
    found = [f"{whole} on {problems}: {_endings(analysis)}."]
    if any(row.timed for row in analysis.outcomes):
        found += _timed(analysis)
    elif analysis.plan.sessions:
        found.append(f"{NO_TIMES} The reasons are below.")
    else:
        found.append("This run checks agreement and takes no times.")
    if analysis.unfinished:
        found.append(
            "The run was interrupted, or is still being written: what it had not reached is listed "
            "below."
        )
    return found


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
    made = len({record.session for record in analysis.records if record.times_ms})
    planned = len(analysis.plan.session_numbers)
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
