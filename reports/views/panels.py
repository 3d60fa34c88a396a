"""Panels as text: headings, notes, and names within addresses and files."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from reports.rows.panels import APPROXIMATIONS, ATTENTION, LAYERS, MODELS
from reports.views.text import capitalized

_NOTES: Final = {
    ATTENTION: "",
    MODELS: "The whole step of a model is measured, with an implementation in its attention "
    "layers. The words of a problem describe the attention of these layers. Memory is above that "
    "of the model and its inputs.",
    LAYERS: "A layer is attention with its projections around it: it does more work for the same "
    "problem, so it is compared with layers only.",
    APPROXIMATIONS: "An approximation computes another function that is close to attention. Its "
    "distance from attention is shown below, and it is ranked with no exact implementation.",
}
_LONGEST_SLUG: Final = 60
"""Characters of a panel within a file name."""


def is_layers(panel: str) -> bool:
    """Whether a panel is of layers: `layers`, `layers with rotary positions`."""
    return panel == LAYERS or panel.startswith(f"{LAYERS} with ")


def subject(panel: str) -> str:
    """A panel in words: `attention`, `model steps`, `layers`, `functions like dense_linear`."""
    if panel == MODELS:
        return "model steps"
    return panel if panel in _NOTES or is_layers(panel) else f"functions like {panel}"


def one_of(panel: str) -> str:
    """An implementation of a panel in words: `layer`, `approximation`, `other function`."""
    if is_layers(panel):
        return panel.replace(LAYERS, "layer", 1)
    if panel == APPROXIMATIONS:
        return panel.removesuffix("s")
    if panel == MODELS:
        return "model-step implementation"
    return "attention implementation" if panel == ATTENTION else "other function"


def of_panel(panel: str) -> str:
    """` of layers` behind a title; empty for attention."""
    return "" if panel == ATTENTION else f" of {subject(panel)}"


def note(panel: str) -> str:
    """Why its implementations are shown apart; empty for attention."""
    if panel.startswith(f"{APPROXIMATIONS} of "):
        return (
            f"They compute {panel}. Their distance from it is shown below, and they are ranked "
            "with no exact implementation."
        )
    if is_layers(panel) and panel != LAYERS:
        return f"{_NOTES[LAYERS]} Its positions make it another function than a layer without them."
    other = (
        f"They compute another function than attention: each agrees with the reference {panel}, "
        "and is compared with those that do."
    )
    return _NOTES.get(panel, other)


def heading(panel: str) -> str:
    """The heading of its section."""
    return capitalized(subject(panel))


def slug(panel: str) -> str:
    """Its name within addresses and files: letters, digits, `_` and `-`, of limited length.

    Digits of a hash replace the end of a long name.
    """
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", panel).strip("-")
    mark = sha256(panel.encode("utf-8", "backslashreplace")).hexdigest()[:6]
    return plain if len(plain) <= _LONGEST_SLUG else f"{plain[:_LONGEST_SLUG]}-{mark}"


def prefix(panel: str) -> str:
    """What the names of its charts begin with; empty for attention."""
    return "" if panel == ATTENTION else f"{slug(panel)}_"
