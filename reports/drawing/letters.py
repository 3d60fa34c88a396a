"""Words on a PNG: what its font can draw of any name, and how much room it takes."""

from __future__ import annotations

from functools import cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from reports.words import abbreviated

LETTER_INCHES: Final = 0.085
MOST_LINES: Final = 3
"""Of what all charts of a file have in common."""
MOST_LETTERS: Final = 64
"""A longer name is abbreviated: a legend is as wide as its chart."""
_MARK: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, most: int = MOST_LETTERS) -> str:
    """The text as it is: a dollar sign starts no formula, a leading underscore hides nothing.

    What the font cannot draw becomes a mark; a long one is abbreviated. The page has all of it.
    """
    line = abbreviated(text, most)
    shown = "".join(each if _is_drawable(each) else _MARK for each in line).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _is_drawable(character: str) -> bool:
    return bool(_font().get_char_index(ord(character)))


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties()))
