"""Looks of implementations: a colour, a marker and a line style, derived from the name.

A name has the same look in every run, unless another name of the run has the same colour or
marker; then the name later in the alphabet takes the next free one. Beyond twelve names, colours
and markers repeat with other dashes, but never both together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_LIGHT: Final = (
    "#0072b2",
    "#c25200",
    "#008058",
    "#b5478f",
    "#8f6300",
    "#2b2f77",
    "#0f7b8a",
    "#626b77",
    "#7a3fb0",
    "#8a4b32",
    "#4c7400",
    "#c01f4f",
)
"""On white. The first eight follow the palette of Okabe and Ito (jfly.uni-koeln.de/color), with
darker hues for yellow and the palest: each has a contrast of 4.5 or more. The others are used
when the eight are taken; for colour-blind readers the markers differ too."""
_DARK: Final = (
    "#56b4f0",
    "#ff8a4c",
    "#2fcb9b",
    "#ec90cb",
    "#e6bb3f",
    "#a3a8ff",
    "#63d8e6",
    "#c6cdd6",
    "#cba6f7",
    "#dfa58b",
    "#b4d46c",
    "#ff93ad",
)
"""The same hues on a dark page."""
_FIRST: Final = 8
"""The number of colours that are taken before the others."""
MARKERS: Final = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "cross",
    "x",
    "triangle-down",
    "star",
    "triangle-left",
    "triangle-right",
    "pentagon",
    "hourglass",
)
_FIRST_MARKERS: Final = 7
"""The number of markers, the easiest to distinguish, that are taken before the others."""
LINES: Final = ("solid", "dash", "dot")
NEUTRAL: Final = ("#3d444d", "#e6e9ed"), ("#8b949e", "#8f98a3")
"""Two greys, each on a light and on a dark page, for lines of no implementation."""


@dataclass(frozen=True, slots=True)
class Look:
    """A line's colour on a light and on a dark page, its marker and its dashes."""

    light: str
    dark: str
    marker: str
    line: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for every name; all names of a run are needed for looks that differ.

    No two of the first twelve names share a colour or a marker, and no two of the first 84 share
    both. A plain name comes before its choices, which have brackets.
    """
    found: dict[str, Look] = {}
    colours: Counter[int] = Counter()
    markers: Counter[int] = Counter()
    taken: set[tuple[int, int]] = set()
    for name in sorted(set(names), key=lambda name: ("[" in name, name)):
        first_colour, first_marker = _start(name)
        order = (*_around(first_colour, _FIRST), *range(_FIRST, len(_LIGHT)))
        colour = min(order, key=lambda each: colours[each])
        marker = min(
            (*_around(first_marker, _FIRST_MARKERS), *range(_FIRST_MARKERS, len(MARKERS))),
            key=lambda each: ((colour, each) in taken, markers[each]),
        )
        line = LINES[colours[colour] % len(LINES)]
        found[name] = Look(_LIGHT[colour], _DARK[colour], MARKERS[marker], line)
        colours[colour] += 1
        markers[marker] += 1
        taken.add((colour, marker))
    return found


def _start(name: str) -> tuple[int, int]:
    """The preferred colour and marker of a name."""
    digest = sha256(name.encode("utf-8", "backslashreplace")).digest()
    return digest[0] % _FIRST, digest[1] % _FIRST_MARKERS


def _around(first: int, count: int) -> Iterable[int]:
    """All positions from `first` on, cyclically."""
    return ((first + step) % count for step in range(count))
