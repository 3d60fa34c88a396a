"""Ratios across panels: the baseline of --against beside implementations of other functions."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import AcrossRow
from reports.rows.panels import APPROXIMATIONS, ATTENTION, LAYERS
from reports.views.numbers import percent, times_of
from reports.views.text import abbreviated, counted

HEADING: Final = "Across panels"
NOTE: Final = (
    "These implementations compute another function than the baseline, so they are in no ranking "
    "with it. The ratio is of times in the same rounds."
)
MOST_SENTENCES: Final = 4
"""Implementations; the section has the rest."""


def mark(row: AcrossRow) -> str:
    """What the implementation computes, and its error against its reference."""
    off = percent(row.relative_error)
    beside = f", RMS error {off} of {_reference(row.panel)}" if off else ""
    return f"computes another function{_named(row.panel)}{beside}"


def sentences(analysis: Analysis) -> list[str]:
    """One sentence for each implementation, on its largest problem; with the most threads."""
    largest: dict[str, AcrossRow] = {}
    for row in analysis.across:
        kept = largest.get(row.implementation)
        if row.threads == analysis.most_threads and (
            kept is None or row.problem.flops > kept.problem.flops
        ):
            largest[row.implementation] = row
    said = [_sentence(row) for row in largest.values()]
    left = len(said) - MOST_SENTENCES
    more = f"{counted(left, 'more implementation')} of other functions: on the page."
    return [*said[:MOST_SENTENCES], *([more] if left > 0 else [])]


def _sentence(row: AcrossRow) -> str:
    name, baseline = abbreviated(row.implementation), abbreviated(row.baseline)
    multiple = times_of(row.ratio, row.low, row.high, f"the time of {baseline}")
    took = f"takes {multiple}" if row.ratio is not None else f"is not judged beside {baseline}"
    return f"{name} {mark(row)}; it {took} on {row.problem}."


def _named(panel: str) -> str:
    """The function that a panel computes, after a comma; empty for attention and approximations."""
    if panel == LAYERS:
        return ", a layer"
    return "" if panel == ATTENTION or panel.startswith(APPROXIMATIONS) else f", {panel}"


def _reference(panel: str) -> str:
    """What the error of a panel's implementations is relative to."""
    if panel in (ATTENTION, APPROXIMATIONS):
        return "attention"
    of = f"{APPROXIMATIONS} of "
    return panel.removeprefix(of) if panel.startswith(of) else "its reference"
