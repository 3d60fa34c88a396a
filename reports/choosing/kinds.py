"""What problems have in common: kinds that differ in sizes only, and the facets they share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from reports.sections import common_facets, facets
from reports.tables import parsed

Kind = tuple[str, ...]


@lru_cache(maxsize=4096)
def without_length(problem: str) -> Kind:
    """All of a printed problem but its length: with unequal lengths, but the number of keys."""
    found = parsed(problem)
    even = found.query_length == found.key_length
    return (_without(problem, "t"), "" if even else f"{found.query_length} queries")


@lru_cache(maxsize=4096)
def without_sizes(problem: str) -> Kind:
    """All of it but length and heads: of them, how many queries share a key head."""
    rest, queries = without_length(problem)
    ratio = parsed(problem).query_heads // parsed(problem).key_heads
    return (_without(rest, "h"), queries, "" if ratio == 1 else f"{ratio} query heads a key head")


def in_words(kind: Kind) -> str:
    """A kind as printed: its parts, with commas."""
    return ", ".join(part for part in kind if part)


def shared_facets(problems: Iterable[str], implementation: str = "") -> dict[str, str]:
    """What every one of several problems, at least one, has of what a page is filtered by."""
    return common_facets(facets(problem, implementation) for problem in problems)


def _without(problem: str, letter: str) -> str:
    return " ".join(word for word in problem.split() if not re.match(rf"{letter}\d", word))
