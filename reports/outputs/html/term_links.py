"""Links from terms in sentences to their definitions, and the ids of headings' definitions."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

from reports.views.terms import TERMS, of_head
from reports.views.text import printable

_LINKED: Final = {term.word: term.anchor for term in TERMS if term.linked}
_WORDS: Final = re.compile(rf"\b({'|'.join(map(re.escape, _LINKED))})\b", re.IGNORECASE)


def linked(text: str) -> Markup:
    """A sentence as HTML on one line; the first of each term links to its definition."""
    seen: set[str] = set()

    def link(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word in seen:
            return found[0]
        seen.add(word)
        return f'<a class="term" href="#{_LINKED[word]}">{found[0]}</a>'

    escaped = str(escape(printable(text)))
    return Markup(_WORDS.sub(link, escaped))  # noqa: S704 - escaped, with links to our own ids


def anchor(head: str) -> str:
    """The id of the definition of a heading; empty without a definition."""
    term = of_head(head)
    return term.anchor if term else ""
