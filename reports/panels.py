"""Panels: who is shown and ranked together, since they compute the same and claim the same."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from suites.records.plan import Plan

ATTENTION, LAYERS, APPROXIMATIONS = "attention", "layers", "approximations"
_NOTES: Final = {
    ATTENTION: "",
    LAYERS: "A layer is attention with its projections around it: it does more work for the same "
    "problem, so it is compared with layers only.",
    APPROXIMATIONS: "An approximation comes near to attention and is not the same function: how "
    "far its answers lie from it stands below, and it is ranked with no exact implementation.",
}


def panels_of(plan: Plan) -> list[str]:
    """The panels of a run: attention, layers, other functions by name, approximations."""
    fixed = {ATTENTION: 0, LAYERS: 1, APPROXIMATIONS: 3}
    found = {entry.panel for entry in plan.entries if not entry.missing}
    return sorted(found, key=lambda panel: (fixed.get(panel, 2), panel))


def subject(panel: str) -> str:
    """What a panel is of, in words: `attention`, `layers`, `functions like dense_linear`."""
    return panel if panel in _NOTES else f"functions like {panel}"


def note(panel: str) -> str:
    """Why its implementations stand apart, in words; empty for attention itself."""
    other = (
        f"They compute another function than attention: each agrees with the reference {panel}, "
        "and is compared with those that do."
    )
    return _NOTES.get(panel, other)


def heading(panel: str) -> str:
    """What stands above it."""
    words = subject(panel)
    return words[0].upper() + words[1:]


def slug(panel: str) -> str:
    """Its name within addresses and files: letters, digits, `_` and `-` only, and not too many.

    Digits of a hash stand in for the end of a long one: names of files may not be longer.
    """
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", panel)
    mark = sha256(panel.encode("utf-8", "backslashreplace")).hexdigest()[:6]
    return plain if len(plain) <= 60 else f"{plain[:60]}-{mark}"


def prefix(panel: str) -> str:
    """What the names of its charts begin with: nothing for attention."""
    return "" if panel == ATTENTION else f"{slug(panel)}_"
