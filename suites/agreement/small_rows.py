"""Small packed batches with the features of a large one.

The feature of a row is the relation of its Tq to its Tk: one query, fewer, as many, or more.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice, pairwise
from typing import Final

from impls.interface import Mask, Problem

ROWS: Final = 3
"""Rows of a small batch, where the large one has as many: a first, an inner and a last row."""
LONG_ROW: Final = (63, 65)
"""Tq and Tk of each row of a batch with many queries."""
MOST_QUERIES: Final = {"one query": 0.0, "fewer": 0.5, "equal": 1.0, "more": 1.5}
"""Queries of a small row over its keys, by the relation."""


def relation_of(queries: int, keys: int) -> str:
    """How many queries there are beside the keys: a key of MOST_QUERIES."""
    if queries == keys:
        return "equal"
    if queries == 1:
        return "one query"
    return "fewer" if queries < keys else "more"


def small_rows(mask: Mask, keys: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """Rows of about `keys` keys in all, of unequal lengths, with the relations of the mask's rows.

    multiple  Tq and Tk of each row are multiples of this
    """
    count = min(max(len(_relations(mask)), min(len(mask.rows or ()), ROWS)), max(1, keys))
    # The squares of 1, 2, ... as shares: an inner row is longer than the first, the last longest.
    ends = [max(place, keys * place**2 // count**2) for place in range(count + 1)]
    return _rows_of(mask, [end - start for start, end in pairwise(ends)], multiple)


def two_rows(mask: Mask, keys: int) -> tuple[tuple[int, int], ...]:
    """Two rows with half of the keys each, and relations of the mask's rows."""
    return _rows_of(mask, [keys // 2, keys - keys // 2], 1)


def _rows_of(mask: Mask, keys: list[int], multiple: int) -> tuple[tuple[int, int], ...]:
    relations = islice(cycle(_relations(mask)), len(keys))
    return tuple(_row(each, length, multiple) for each, length in zip(relations, keys, strict=True))


def _relations(mask: Mask) -> list[str]:
    return list(dict.fromkeys(relation_of(*row) for row in mask.rows or ()))


def _row(relation: str, keys: int, multiple: int) -> tuple[int, int]:
    queries = max(1, round(MOST_QUERIES[relation] * keys))
    queries, keys = (-(-length // multiple) * multiple for length in (queries, keys))
    if relation == "fewer" and queries == keys > multiple:
        queries -= multiple
    return queries, keys


def with_rows(problem: Problem, rows: tuple[tuple[int, int], ...], mask: Mask) -> Problem:
    """The problem with these rows and the band of the mask; lengths follow."""
    return replace(
        problem,
        batch=1,
        query_length=sum(queries for queries, _ in rows),
        key_length=sum(keys for _, keys in rows),
        mask=Mask(left=mask.left, right=mask.right, rows=rows),
    )
