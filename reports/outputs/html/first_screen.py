"""Sentences as HTML: sizes and options stay on one line, terms link to definitions."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from reports.outputs.html.term_links import linked

_WHOLE: Final = re.compile(
    r"T = [\d,]+|\[[^\[\]<>]{1,40}\]|\d[\d.]*x as long|\d+ heads?|\d[\d.]* %|--[a-z-]+"
)
"""Sizes, intervals, multiples, percentages and options."""


def unbroken(text: str) -> Markup:
    """The text on which no line breaks within a size, an interval or an option."""
    line = str(linked(text))
    return Markup(_WHOLE.sub(r'<span class="whole">\g<0></span>', line))  # noqa: S704 - escaped
