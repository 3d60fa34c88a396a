"""Panels: implementations that are shown and ranked together, because they compute the same."""

from __future__ import annotations

from typing import Final

from suites.records.plan import Plan

ATTENTION: Final = "attention"
LAYERS: Final = "layers"
APPROXIMATIONS: Final = "approximations"
_ORDER: Final = {ATTENTION: 0, LAYERS: 1, APPROXIMATIONS: 3}
_OWN_REFERENCE: Final = 2
"""The place of a panel with a reference of its own: before the approximations."""


def panels_of(plan: Plan) -> list[str]:
    """The panels of a run: attention, layers, other functions by name, approximations."""
    return sorted({entry.panel for entry in plan.entries if not entry.missing}, key=place)


def place(panel: str) -> tuple[int, str]:
    """The place of a panel among all, as a key to sort by."""
    return _ORDER.get(panel, _OWN_REFERENCE), panel
