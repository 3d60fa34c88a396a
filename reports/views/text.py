"""Text that any output can show: on one line, of limited length, without control characters."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

LONGEST_NAME: Final = 80
"""Characters of a name among others; a longer one is abbreviated."""
LONGEST_TEXT: Final = 600
"""Characters of a text; a longer one is folded, or abbreviated where it cannot be."""
_MOST_ACCENTS: Final = 3
"""Combining characters on one letter: no language needs more, and more overlap other lines."""


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 problem, 2 problems."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def capitalized(text: str) -> str:
    """The text with a capital first letter; the rest stays."""
    return text[:1].upper() + text[1:]


def printable(text: str) -> str:
    """The text on one line: line breaks become spaces, control characters a replacement mark.

    Characters that hide or reorder the text around them are replaced too, and so are further
    combining characters on one letter.
    """
    line = re.sub(r"\s+", " ", text)
    if line.isascii() and line.isprintable():
        return line
    shown, accents = [], 0
    for each in line:
        accents = accents + 1 if unicodedata.category(each) in {"Mn", "Me"} else 0
        good = each.isprintable() and accents <= _MOST_ACCENTS
        shown.append(each if good else "\N{REPLACEMENT CHARACTER}")
    return "".join(shown)


def readable(text: str) -> str:
    """The same line by line: line breaks stay."""
    return "\n".join(map(printable, text.split("\n")))


def abbreviated(text: str, most: int = LONGEST_NAME) -> str:
    """The text on one line of at most so many characters; a longer one lacks its middle.

    Four digits of its hash stand in the middle, so two long texts are never shown alike.
    """
    line = printable(text)
    if len(line) <= most:
        return line
    mark = sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:4]
    tail = (most - 6) // 3
    return f"{line[: most - 6 - tail]}…{mark}…{line[-tail:]}"


def moment(text: str | None) -> str:
    """A stored time of day: 2026-01-02 03:04:05 UTC; empty without one."""
    return (text or "").replace("T", " ").replace("+00:00", " UTC")


def duration(seconds: float) -> str:
    """A wall time: 12 s, 20 min 17 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
