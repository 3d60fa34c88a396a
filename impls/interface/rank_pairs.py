"""The visible pairs of one rank's queries and another's keys, as few rectangles as possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from impls.interface.mask import CAUSAL, Mask

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Positions: TypeAlias = tuple[range, ...]
"""The positions of a rank in the order in which it holds them: ranges of equal sizes."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Queries that a rank holds, and keys that another rank or the same holds.

    rows       of the queries
    columns    of the keys
    is_causal  whether row i sees the columns up to i only; as many columns as rows
    partly     positions of the queries and of the keys, where the mask hides some pairs; None: it
               hides none, but for is_causal
    """

    rows: slice
    columns: slice
    is_causal: bool = False
    partly: tuple[range, range] | None = None

    def hidden(self, mask: Mask, device: torch.device) -> Tensor | None:
        """The pairs that the mask hides, bool [rows, columns]; None where `partly` is None."""
        if self.partly is None:
            return None
        import torch  # noqa: PLC0415 - the contract imports without torch

        queries, keys = (torch.arange(x.start, x.stop, device=device) for x in self.partly)
        hidden: Tensor = ~mask.visible(0, queries[:, None], keys)
        return hidden


def rectangles(
    mask: Mask, queries: Positions, keys: Positions, length: int, tile: tuple[int, int]
) -> Iterator[Rectangle]:
    """Rectangles that hold every visible pair once; none where the mask hides all.

    mask     full, causal or a window, of the whole sequence
    queries  positions of the one rank
    keys     positions of the other
    length   of the whole sequence
    tile     the most queries and keys of a rectangle that the mask hides in part

    Ranges that see no key, or that no query sees, are left out first. Ranks with zig-zag positions
    and a causal mask have one rectangle for each other rank then.
    """
    pairs = [(q, k) for q, k in product(queries, keys) if _sees(mask, q, k, length)]
    rows, columns = ([*dict.fromkeys(pair[side] for pair in pairs)] for side in (0, 1))
    if mask == CAUSAL and queries == keys:
        yield Rectangle(_within(queries, rows), _within(keys, columns), is_causal=True)
    elif pairs and all(_covers(mask, q, k, length) for q, k in product(rows, columns)):
        yield Rectangle(_within(queries, rows), _within(keys, columns))
    else:
        for q, k in pairs:
            if _covers(mask, q, k, length):
                yield Rectangle(_within(queries, [q]), _within(keys, [k]))
            else:
                yield from _tiles_of(mask, (queries, q), (keys, k), length, tile)


def tiles(
    mask: Mask, queries: Positions, keys: Positions, length: int, tile: tuple[int, int]
) -> Iterator[Rectangle]:
    """As `rectangles`, with none larger than a tile, and none that is causal."""
    for q, k in product(queries, keys):
        yield from _tiles_of(mask, (queries, q), (keys, k), length, tile)


def _tiles_of(
    mask: Mask,
    queries: tuple[Positions, range],
    keys: tuple[Positions, range],
    length: int,
    tile: tuple[int, int],
) -> Iterator[Rectangle]:
    """Blocks of a range of queries, each with blocks of the keys that it sees in a range."""
    for rows in _blocks(queries[1].start, queries[1].stop, tile[0]):
        start, end = mask.span(rows[0], rows[-1], length)
        for columns in _blocks(max(start, keys[1].start), min(end, keys[1].stop), tile[1]):
            partly = None if _covers(mask, rows, columns, length) else (rows, columns)
            own = _at(*queries, rows), _at(*keys, columns)
            yield Rectangle(*own, partly=partly)


def _blocks(start: int, stop: int, size: int) -> Iterator[range]:
    for first in range(start, stop, size):
        yield range(first, min(first + size, stop))


def _sees(mask: Mask, queries: range, keys: range, length: int) -> bool:
    start, end = mask.span(queries[0], queries[-1], length)
    return max(start, keys.start) < min(end, keys.stop)


def _covers(mask: Mask, queries: range, keys: range, length: int) -> bool:
    return mask.covers(queries[0], queries[-1], keys.start, keys.stop, length)


def _within(held: Positions, ranges: list[range]) -> slice:
    """The slice of adjacent ranges among those that a rank holds."""
    first, last = held.index(ranges[0]), held.index(ranges[-1])
    return slice(first * len(held[0]), (last + 1) * len(held[0]))


def _at(held: Positions, whole: range, part: range) -> slice:
    """The slice of a part of a range that a rank holds."""
    by = held.index(whole) * len(whole) - whole.start
    return slice(part.start + by, part.stop + by)
