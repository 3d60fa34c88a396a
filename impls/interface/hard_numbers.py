"""Labels of the hard inputs that have numbers of their own; suites.agreement has the numbers."""

from __future__ import annotations

from typing import Final

HARD_NUMBERS: Final = (
    "one dominant key",
    "outliers",
    "equal scores",
    "a shifted column of v",
    "scores far below zero",
    "scores that rise",
)
"""An implementation may declare some of them as `inexact_on`."""
