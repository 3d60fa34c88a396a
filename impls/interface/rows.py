"""Rows of a packed batch: requests of Tq queries over Tk keys, one after the other.

Servers hand over the tensors of a batch like this: batch 1, q [1, Hq, sum of Tq, D], k and v
[1, Hk, sum of Tk, D]. A query sees keys of its own row only.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

Rows: TypeAlias = tuple[tuple[int, int], ...]
"""Tq and Tk of each row."""

_ROW: Final = r"(?:([1-9]\d*)x)?(\d+)/(\d+)"
_REQUEST: Final = r"([1-9]\d*)?q(\d+)(k?)(?:s(\d+)(k?))?"
"""A segment of vLLM's batch specification, benchmarks/attention_benchmarks/batch_spec.py."""


def parse_row(text: str) -> Rows | None:
    """`8x1/4096` as eight rows of 1 query over 4096 keys; None for other text."""
    if found := re.fullmatch(_ROW, text):
        return ((int(found[2]), int(found[3])),) * int(found[1] or 1)
    return None


def parse_requests(text: str) -> Rows | None:
    """The rows of vLLM's short form; None for other text.

    `2q1ks8k_q1s4k` is two requests of 1024 queries over 8192 keys, and one of 1 over 4096. Without
    `s` a request has as many keys as queries.
    """
    found = [re.fullmatch(_REQUEST, segment) for segment in text.split("_")]
    rows: list[tuple[int, int]] = []
    for each in found:
        if each is None:
            return None
        count, *sizes = each.groups()
        queries, keys = _size(*sizes[:2]), _size(*(sizes[2:] if sizes[2] else sizes[:2]))
        rows += [(queries, keys)] * int(count or 1)
    return tuple(rows)


def _size(digits: str, suffix: str) -> int:
    return int(digits) * (1024 if suffix else 1)


def text_of(rows: Rows) -> str:
    """The rows as `parse_row` reads them, joined by `+`."""
    runs = [(row, len(list(same))) for row, same in groupby(rows)]
    return "+".join(f"{f'{count}x' if count > 1 else ''}{q}/{k}" for (q, k), count in runs)


@lru_cache(maxsize=256)
def ends(rows: Rows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where each row ends among the packed queries, and among the packed keys."""
    return tuple(accumulate(q for q, _ in rows)), tuple(accumulate(k for _, k in rows))


def slices(rows: Rows) -> tuple[tuple[slice, slice], ...]:
    """The packed queries and the packed keys of each row."""
    return tuple(
        (slice(q_end - q, q_end), slice(k_end - k, k_end))
        for (q, k), q_end, k_end in zip(rows, *ends(rows), strict=True)
    )


def row_by_row(
    function: Callable[[Tensor, Tensor, Tensor], Tensor],
    rows: Rows,
    q: Tensor,
    k: Tensor,
    v: Tensor,
) -> Tensor:
    """The packed output of a function that is called on q, k and v of each row."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    made = [
        function(q[:, :, queries], k[:, :, keys], v[:, :, keys]) for queries, keys in slices(rows)
    ]
    return torch.cat(made, dim=2)


def located(rows: Rows, position: Any) -> tuple[Any, Any]:
    """The row of a query, and its position among the packed keys with its row's end lined up.

    position  `i + Tk - Tq` of query `i` with the sums of all rows, as every mask has it; an int, an
              array or a tensor

    The shift between both positions is constant within a row.
    """
    query_ends, key_ends = ends(rows)
    shifts = [k - q for q, k in zip(query_ends, key_ends, strict=True)]
    index, shift = 0, shifts[0]
    for end, here, after in zip(query_ends[:-1], shifts, shifts[1:], strict=False):
        is_after = (position - shifts[-1] >= end) * 1
        index, shift = index + is_after, shift + is_after * (after - here)
    return index, position - shifts[-1] + shift


def located_row(rows: Rows, position: int) -> tuple[int, int]:
    """The same as `located` for a single query, in the logarithm of the rows."""
    query_ends, key_ends = ends(rows)
    query = position - (key_ends[-1] - query_ends[-1])
    row = min(bisect_right(query_ends, query), len(rows) - 1)
    return row, query + key_ends[row] - query_ends[row]


def passed(position: Any, ends: tuple[int, ...]) -> Any:
    """The number of ends up to the position: the index of its document or row."""
    return sum((position >= end) * 1 for end in ends)
