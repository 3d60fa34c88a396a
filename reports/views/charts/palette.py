"""Looks of implementations: a colour, a marker and a line style, derived from the name.

A name has the same look in every run, unless another name of the run has the same colour or
marker; then the later of the two takes the next free one. Those that can be drawn come before those
that this machine lacks the device for, and attention before layers and other functions. Beyond
twelve names, colours and markers repeat with other dashes, but never both together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from operator import mul
from typing import Final

from reports.rows.panels import place
from suites.records.operator_kinds import KINDS, OperatorKind
from suites.records.plan import Entry, Plan

LIGHT: Final = (
    "#006ba6",
    "#b14c00",
    "#05996e",
    "#d673a9",
    "#ab8d2c",
    "#332289",
    "#0498fd",
    "#773344",
    "#6c707a",
    "#990011",
    "#664466",
    "#886644",
)
"""On white. The first eight start from the hues of Okabe and Ito (jfly.uni-koeln.de/color) and were
moved, by a search, until no two are closer than CIEDE2000 12 for any colour vision: normal, or
with protanopia, deuteranopia or tritanopia as simulated by Machado et al. (2009). Each has a
contrast of 3 or more, as graphics need (WCAG 2.1, 1.4.11): text is never in these colours."""
DARK: Final = (
    "#4684ba",
    "#ff813d",
    "#22c291",
    "#eb98c5",
    "#efe443",
    "#a096ff",
    "#99e1ff",
    "#995500",
    "#8b8d94",
    "#dd1166",
    "#117755",
    "#eeffcc",
)
"""On a dark page: the first eight have nearly the same hues, found by the same search."""
FIRST: Final = 8
"""The number of colours that are taken before the others."""
MARKERS: Final = (
    "circle",
    "square",
    "triangle-up",
    "diamond-tall",
    "x",
    "star",
    "hourglass",
    "circle-open",
    "square-open",
    "triangle-up-open",
    "diamond-tall-open",
    "star-open",
)
"""Shapes, filled and open: none is another one turned."""
_FIRST_MARKERS: Final = 7
"""The number of markers, the easiest to distinguish, that are taken before the others."""
LINES: Final = ("solid", "dash", "dot")
NEUTRAL: Final = ("#3d444d", "#e6e9ed"), ("#8b949e", "#8f98a3")
"""Two greys, each on a light and on a dark page, for lines of no implementation."""


_GREY_KINDS: Final[dict[OperatorKind, tuple[str, str]]] = {
    "Python": NEUTRAL[0],
    "other": NEUTRAL[1],
}
Rank = tuple[bool, tuple[float, str], bool, str]
"""A key to sort implementations by."""


@dataclass(frozen=True, slots=True)
class Look:
    """A line's colour on a light and on a dark page, its marker and its dashes."""

    light: str
    dark: str
    marker: str
    line: str


def looks_of(*plans: Plan) -> dict[str, Look]:
    """A look for every implementation of the plans.

    A plain name comes before its choices, which have brackets.
    """
    ranks: dict[str, Rank] = {}
    for plan in plans:
        for entry in plan.entries:
            own = _rank(entry, {problem.device for problem in plan.problems})
            ranks[entry.name] = min(own, ranks.get(entry.name, own))
    return looks(sorted(ranks, key=ranks.__getitem__))


def _rank(entry: Entry, devices: Collection[str]) -> Rank:
    able = any(set(devices) & set(limits.devices) for limits in entry.limits)
    return not able, place(entry.panel), "[" in entry.name, entry.name


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for every name; the earlier ones choose first.

    No two of the first twelve names share a colour or a marker, and no two of the first 84 share
    both.
    """
    found: dict[str, Look] = {}
    colours: Counter[int] = Counter()
    markers: Counter[int] = Counter()
    taken: set[tuple[int, int]] = set()
    for name in dict.fromkeys(names):
        first_colour, first_marker = _start(name)
        order = (*_around(first_colour, FIRST), *range(FIRST, len(LIGHT)))
        colour = min(order, key=lambda each: colours[each])
        marker = min(
            (*_around(first_marker, _FIRST_MARKERS), *range(_FIRST_MARKERS, len(MARKERS))),
            key=lambda each: ((colour, each) in taken, markers[each]),
        )
        line = LINES[colours[colour] % len(LINES)]
        found[name] = Look(LIGHT[colour], DARK[colour], MARKERS[marker], line)
        colours[colour] += 1
        markers[marker] += 1
        taken.add((colour, marker))
    return found


def look_of_kind(kind: OperatorKind) -> Look:
    """The look of a kind of operators, the same on every chart; Python and others are grey."""
    if kind in _GREY_KINDS:
        return Look(*_GREY_KINDS[kind], "square", "solid")
    place = KINDS.index(kind)
    return Look(LIGHT[place], DARK[place], "square", "solid")


def ink_on(colour: str) -> str:
    """Black or white, whichever has the larger contrast to a colour: 4.5 or more to any."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = sum(map(mul, linear, (0.2126, 0.7152, 0.0722)))
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _start(name: str) -> tuple[int, int]:
    """The preferred colour and marker of a name."""
    digest = sha256(name.encode("utf-8", "backslashreplace")).digest()
    return digest[0] % FIRST, digest[1] % _FIRST_MARKERS


def _around(first: int, count: int) -> Iterable[int]:
    """All positions from `first` on, cyclically."""
    return ((first + step) % count for step in range(count))
