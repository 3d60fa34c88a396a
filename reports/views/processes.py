"""Implementations that have a process of their own, and what that means for their ratios."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import between_floor
from reports.views.numbers import floor
from reports.views.text import LONGEST_TEXT, abbreviated


def sentences(analysis: Analysis) -> Iterator[str]:
    """One for each such implementation with times, then the noise floor between processes."""
    timed = {row.implementation for row in analysis.measurements}
    found = [each for each in analysis.plan.entries if each.process and each.name in timed]
    for each in found:
        why = each.apart or f"{each.environment} measures it"
        yield abbreviated(f"{each.name} has a process of its own: {why}.", LONGEST_TEXT)
    between = between_floor(analysis.timed)
    if found and between is not None:
        yield (
            "Calls of all processes alternate in the same rounds. Identical code in two processes "
            f"differed by {floor(between)}."
        )
