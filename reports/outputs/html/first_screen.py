"""Sentences of the first screen as HTML: sizes stay on one line, terms link to definitions."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from reports.outputs.html.term_links import linked

_WHOLE: Final = re.compile(
    r"T = [\d,]+|\[[^\[\]<>]{1,40}\]|\d[\d.]*x as long|\d+ heads?|\d[\d.]* %"
)
"""Sizes, intervals, multiples and percentages."""


def unbroken(text: str) -> Markup:
    """The text on which no line breaks within a size, an interval, a multiple or a percentage."""
    line = str(linked(text))
    return Markup(_WHOLE.sub(r'<span class="whole">\g<0></span>', line))  # noqa: S704 - escaped
