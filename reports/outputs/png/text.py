"""Text on a PNG: limited to what its font can draw, and to the room on a chart."""

from __future__ import annotations

from functools import cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from reports.views.text import abbreviated

LETTER_INCHES: Final = 0.085
"""Average width of a letter."""
MOST_LINES: Final = 3
"""Lines of a text above the charts."""
MOST_LETTERS: Final = 64
"""Letters of a name; a longer one is abbreviated, because a legend is as wide as its chart."""
_MARK: Final = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, most: int = MOST_LETTERS) -> str:
    """The text literally: dollar signs start no formula, a leading underscore hides no entry.

    Characters that the font lacks become a mark; a long text is abbreviated.
    """
    line = abbreviated(text, most)
    shown = "".join(each if _is_drawable(each) else _MARK for each in line).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _is_drawable(character: str) -> bool:
    return bool(_font().get_char_index(ord(character)))


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties()))
