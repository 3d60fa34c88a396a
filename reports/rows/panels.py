"""Panels: implementations that are shown and ranked together, because they compute the same."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.records.plan import Plan

ATTENTION: Final = "attention"
LAYERS: Final = "layers"
APPROXIMATIONS: Final = "approximations"
MODELS: Final = "models"
"""Steps of models, with an implementation of attention in their layers."""
_ORDER: Final = {ATTENTION: 0, MODELS: 0.5, LAYERS: 1, APPROXIMATIONS: 3}
_OWN_REFERENCE: Final = 2
"""The place of a panel with a reference of its own: before the approximations."""


def panel_on(panel: str, model: str) -> str:
    """The panel of an implementation on a problem: its own, or that of steps of models.

    panel  of its entry in the plan; only attention takes part in models
    model  of the problem; empty for a call alone
    """
    return MODELS if model and panel == ATTENTION else panel


def panels_of(plan: Plan) -> list[str]:
    """The panels of a run: attention, models, layers, other functions by name, approximations.

    A run of models alone has no other panel: they take attention only.
    """
    own = {entry.panel for entry in plan.entries if not entry.missing}
    models = any(each.model for each in plan.problems)
    if plan.problems and all(each.model for each in plan.problems):
        own &= {ATTENTION}
        return [MODELS for _ in own]
    return sorted({*own, *([MODELS] if models and ATTENTION in own else [])}, key=place)


def names_of(plan: Plan, panel: str) -> list[str]:
    """The implementations of a panel, in the plan's order."""
    own = ATTENTION if panel == MODELS else panel
    return [entry.name for entry in plan.entries if entry.panel == own]


def problems_of(plan: Plan, panel: str) -> list[Problem]:
    """The problems of a panel, in the plan's order: steps of models have one of their own."""
    return [each for each in plan.problems if bool(each.model) == (panel == MODELS)]


def place(panel: str) -> tuple[float, str]:
    """The place of a panel among all, as a key to sort by."""
    return _ORDER.get(panel, _OWN_REFERENCE), panel
