"""Neighbour effect: rows whose calls slow what runs right after them."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.views.numbers import three_digits
from reports.views.text import abbreviated

SLOWS: Final = 1.5
"""From this ratio on a row is named. Caches that its call emptied explain smaller ones."""


def sentences(analysis: Analysis) -> list[str]:
    """One for each implementation with such rows: the worst ratio, and its problem."""
    worst: dict[str, Measurement] = {}
    ratios: dict[str, float] = defaultdict(float)
    for row in analysis.measurements:
        ratio = row.neighbour_ratio or 0.0
        if ratio > max(SLOWS, ratios[row.implementation]):
            worst[row.implementation], ratios[row.implementation] = row, ratio
    return [
        f"{abbreviated(name)} slows the next row's first call {three_digits(ratios[name])} times "
        f"({row.problem}); untimed lead-in calls keep that out of the times, and "
        f"--apart {abbreviated(name)} measures it in a process of its own."
        for name, row in worst.items()
    ]
