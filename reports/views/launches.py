"""Calls on a GPU whose times are launch times of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.views.numbers import milliseconds
from reports.views.text import abbreviated, counted

HOST_BOUND: Final = "host-bound"
MEANING: Final = (
    "The host launches the calls slower than the device computes them, or waits for the device in "
    "each: the time is launch time, not device time."
)


def sentences(analysis: Analysis, *, panel: str | None = None) -> list[str]:
    """One sentence for each implementation that is host-bound; None: of all panels."""
    found: dict[str, list[Measurement]] = {}
    for row in analysis.measurements:
        if row.host_bound and panel in (None, row.panel):
            found.setdefault(row.implementation, []).append(row)
    return [_sentence(name, rows) for name, rows in found.items()]


def _sentence(name: str, rows: Sequence[Measurement]) -> str:
    problems = counted(len({row.problem for row in rows}), "problem")
    known = sorted(row.host_ms for row in rows if row.host_ms is not None)
    ends = list(dict.fromkeys(milliseconds(each) for each in known[:1] + known[-1:]))
    launch = f" The host takes {' to '.join(ends)} ms to launch a call." if ends else ""
    return f"{abbreviated(name)} is {HOST_BOUND} on {problems}. {MEANING}{launch}"
