"""Errors on the user's own inputs in words, the same in the terminal and on the page."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.own_inputs import OwnInputs
from reports.views.numbers import share
from reports.views.text import counted

HEADING: Final = "Error on your inputs"
NOTE: Final = (
    "Error: RMS of the difference to the float64 reference, over the RMS of the reference. "
    "Random inputs are standard normal, of the same problem."
)
HEADS: Final = (
    "on yours",
    "on random",
    "times",
    "worst row on yours",
    "worst row on random",
    "share of the gate on yours",
    "share on random",
)
NAMES: Final = (
    "error",
    "random_error",
    "times",
    "worst_row",
    "random_worst_row",
    "share",
    "random_share",
)
"""Of the same columns in downloads."""


def timed_note(analysis: Analysis) -> str:
    """The inputs of the times; empty for a run without the user's own, or without times."""
    count = len({file.sha256 for file in analysis.plan.inputs})
    if not count or not analysis.plan.sessions:
        return ""
    return (
        f"Times are of the tensors in {counted(count, 'file')}, and of copies in which columns "
        "change their sign so that all scores stay as they are."
    )


def values(row: OwnInputs) -> tuple[tuple[str, float | None], ...]:
    """The cells of a row after its names: text, and the number to sort by."""
    times = row.error / row.random_error if row.random_error else None
    return (
        _error(row.error),
        _error(row.random_error),
        ("" if times is None else f"{times:.2g}", times),
        _error(row.worst_row),
        _error(row.random_worst_row),
        (share(row.share), row.share),
        (share(row.random_share), row.random_share),
    )


def _error(value: float | None) -> tuple[str, float | None]:
    return ("" if value is None else f"{value:.2g}", value)
