"""How each implementation looks: a colour, a marker and a line, by its place among the names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_LIGHT: Final = (
    "#0072b2",
    "#d55e00",
    "#00845c",
    "#b5478f",
    "#a87400",
    "#2b2f77",
    "#1597a8",
    "#626b77",
)
"""On white. After the palette of Okabe and Ito (jfly.uni-koeln.de/color), yellow and the palest
replaced by darker hues, so that every line has a contrast of 3 or more."""
_DARK: Final = (
    "#56b4f0",
    "#ff8a4c",
    "#2fcb9b",
    "#ec90cb",
    "#e6bb3f",
    "#a3a8ff",
    "#63d8e6",
    "#c6cdd6",
)
"""The same hues on a dark page."""
MARKERS: Final = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down")
LINES: Final = ("solid", "dash", "dot")


@dataclass(frozen=True, slots=True)
class Look:
    """A line's colour on a light and on a dark page, its marker and its dashes."""

    light: str
    dark: str
    marker: str
    line: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for every name, by its position among the sorted names.

    Eight colours and seven markers: no two of the first 56 names look the same.
    """
    return {name: _look(place) for place, name in enumerate(sorted(set(names)))}


def _look(place: int) -> Look:
    colour = place % len(_LIGHT)
    line = LINES[place // len(_LIGHT) % len(LINES)]
    return Look(_LIGHT[colour], _DARK[colour], MARKERS[place % len(MARKERS)], line)
