"""Text on a drawn chart: limited to what its font can draw, and to the room on a chart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from textwrap import wrap
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from reports.views.text import abbreviated

TITLE: Final = 20.0
"""Points of the title of a figure; the sizes below are of other texts. Read from a slide."""
LABEL: Final = 13.0
PLAIN: Final = 11.0
SMALL: Final = 9.5
MOST_LETTERS: Final = 64
"""Letters of a name; a longer one is abbreviated, because a legend is as wide as its chart."""
_LETTER: Final = 0.0081
"""Average width of a letter, in inches for each point of its size."""
_LINE: Final = 0.0170
"""Height of a line, in inches for each point."""
_MARK: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, most: int = MOST_LETTERS) -> str:
    """The text literally: dollar signs start no formula, a leading underscore hides no entry.

    Characters that the font lacks become a mark; a long text is abbreviated.
    """
    line = abbreviated(text, most)
    shown = "".join(each if _is_drawable(each) else _MARK for each in line).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def width(text: str, points: float) -> float:
    """Inches of a line of text, about."""
    return len(text) * _LETTER * points


def height(lines: int, points: float) -> float:
    """Inches of so many lines of text."""
    return lines * _LINE * points


def letters(inches: float, points: float) -> int:
    """The number of letters that fit."""
    return max(1, int(inches / (_LETTER * points)))


def wrapped(texts: Sequence[str], inches: float, points: float, most: int) -> list[str]:
    """Lines of at most so many inches; each text has at most so many lines."""
    room = letters(inches, points)
    return [
        plain(line, room)
        for text in texts
        for line in wrap(text, room, max_lines=most, placeholder="…")
    ]


def _is_drawable(character: str) -> bool:
    return bool(_font().get_char_index(ord(character)))


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties()))
