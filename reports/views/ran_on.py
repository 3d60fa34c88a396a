"""Whether and when an implementation for a device ran on one, in words beside its name."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from suites.records.plan import Entry

NEVER: Final = "never run"
HEAD: Final = "ran on"
"""Of a column with these words."""


def words(entry: Entry) -> str:
    """`never run`, or the device and the day; "" for what the tests run on a CPU."""
    return "" if entry.ran_on is None else entry.ran_on or NEVER


def notes(analysis: Analysis) -> dict[str, str]:
    """By implementation, what is said beside its name: `never run`, or `ran on` and where.

    What agrees or has times in this run needs no note.
    """
    here = {row.implementation for row in analysis.outcomes if row.status == "ok"}
    return {
        entry.name: words(entry) if words(entry) == NEVER else f"{HEAD} {words(entry)}"
        for entry in analysis.plan.entries
        if words(entry) and entry.name not in here
    }
