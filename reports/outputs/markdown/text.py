"""Text, names and tables as GitHub renders them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

from reports.views.text import abbreviated, printable

WORDS: Final = ("problem", "implementation", "verdict", "")
"""Heads of columns that hold words."""
_MARKS: Final = re.compile(r"[\\`*<>|~$]|(?<![^\W_])_|_(?![^\W_])|(?<=\])(?=[(\[:])")
"""What would be formatted, and the places where text would become a link.

An underscore between letters is not formatted.
"""
_PLAIN_NAME: Final = re.compile(r"[\w.()\[\]=,:+*/ -]+")
"""A name that stands in a code span of a table as it is."""


def escaped(text: str) -> str:
    """The text on one line, shown as it is in a paragraph or a cell."""
    return _MARKS.sub(lambda found: f"\\{found[0]}", printable(text).replace("&", "&amp;"))


def code(name: str) -> str:
    """A name as a code span; one with odd characters as plain text."""
    shown = abbreviated(name)
    return f"`{shown}`" if _PLAIN_NAME.fullmatch(shown) else escaped(shown)


def block(text: str) -> str:
    """A block of code, with a fence that does not occur in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{printable(text)}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markdown already; a column without a cell is left out.

    The columns of WORDS are aligned left, the others right: they are numbers.
    """
    columns = [(title, *cells) for title, *cells in zip(head, *rows, strict=True) if any(cells)]
    line = ["---" if title in WORDS else "---:" for title, *_ in columns]
    first, *others = zip(*columns, strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, line, *others))


def details(summary: str, parts: Iterable[str]) -> str:
    """Parts that unfold below a summary."""
    head = f"<details><summary>{html.escape(printable(summary), quote=False)}</summary>"
    return "\n\n".join([head, *parts, "</details>"])
