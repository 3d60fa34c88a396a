"""Tiles of a mask: a block of keys for a block of queries, without the tiles that are hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from impls.interface.mask import Mask
from impls.interface.rows import slices

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CACHE_SIZE: Final = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
"""Where Linux reports the second-level cache of a core."""
CORE_CACHE_BYTES: Final = 1 << 20
"""A core's second-level cache where the system does not report it, and the least to make tiles for:
smaller ones lose more time between operators than they save in the cache."""
CACHES: Final = 2
"""Second-level caches that the scores of a tile may fill: fewer, larger tiles were faster."""
MOST_ROWS: Final = 512
"""Queries of a tile with a full mask: products of fewer rows are slower."""
LEAST_ROWS: Final = 128
"""Queries of a tile with another mask: fewer of their scores are hidden."""
STEP: Final = 16
"""Blocks of keys but the last have a multiple of this length, for vectors of the CPU."""


Sizes: TypeAlias = tuple[int, int, int, int]
"""Batch rows and key heads that are computed together, queries and keys of a tile."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A block of keys for a block of R queries.

    queries    rows of q
    positions  of the queries, on the keys' axis
    keys       rows of k and v
    first      whether no tile before it has these queries
    partly     the smallest range of its keys outside of which every query sees every key
    limit      the largest score of the pairs with keys `partly`, -inf where the mask hides them,
               else inf; float32, [B, 1, R, 1, keys] with padding, else [R, 1, keys]; None where
               it hides none
    """

    queries: range
    positions: range
    keys: range
    first: bool
    partly: range
    limit: Tensor | None

    @property
    def columns(self) -> slice:
        """The slice of its keys."""
        return slice(self.keys.start, self.keys.stop)

    @property
    def partly_columns(self) -> slice:
        """The slice of the keys `partly`, of the tile's own columns."""
        return slice(self.partly.start - self.keys.start, self.partly.stop - self.keys.start)

    def rows(self, group: int) -> slice:
        """The slice of its queries, where each position has a row for each of `group` heads."""
        return slice(self.queries.start * group, self.queries.stop * group)


def tiles(
    mask: Mask, lengths: tuple[int, int], sizes: tuple[int, int], device: torch.device
) -> Iterator[Tile]:
    """The tiles with visible pairs, in the order of the queries.

    mask     with key ranges, not with a fraction of padding
    lengths  Tq and Tk
    sizes    the most queries and the most keys of a tile

    Tiles of the same queries have about equally many keys. A tile has queries of one row of a
    packed batch only. Tiles at equal distance from a band share one tensor `limit`.
    """
    offset, length = lengths[1] - lengths[0], lengths[1]
    limit = lru_cache(maxsize=None)(partial(_limit, mask, device))
    for queries in _query_blocks(mask, lengths[0], sizes[0]):
        positions = range(queries.start + offset, queries.stop + offset)
        start, stop = mask.span(positions[0], positions[-1], length)
        seen = _seen_by_all(mask, (positions[0], positions[-1]), length)
        for keys in _split(start, stop, sizes[1]):
            partly = _outside(keys, seen)
            most = limit(*_shifted(mask, positions, partly)) if partly else None
            yield Tile(queries, positions, keys, keys.start == start, partly, most)


def parts_of(
    mask: Mask, q: Tensor, k: Tensor, sizes: Sizes
) -> Iterator[tuple[slice, slice, list[Tile]]]:
    """Batch rows and key heads that are computed together, with their tiles.

    q  [B, Hk, G, Tq, D]
    k  [B, Hk, Tk, D]

    Batch rows with padding of their own have tiles of their own.
    """
    made: dict[Mask, list[Tile]] = {}
    for row in range(0, len(q), sizes[0]):
        batch, own = slice(row, min(row + sizes[0], len(q))), mask
        if isinstance(mask.padding, tuple):
            own = replace(mask, padding=mask.padding[batch])
        if own not in made:
            made[own] = list(tiles(own, (q.shape[3], k.shape[2]), sizes[2:], q.device))
        for head in range(0, k.shape[1], sizes[1]):
            yield batch, slice(head, min(head + sizes[1], k.shape[1])), made[own]


def fitting_sizes(q: Tensor, k: Tensor, mask: Mask, blocks: tuple[int | None, int | None]) -> Sizes:
    """Sizes with which the float32 scores of a head's tile fill CACHES second-level caches.

    q       [B, Hk, G, Tq, D]: queries in groups of G heads for a key head
    k       [B, Hk, Tk, D]
    blocks  chosen queries and keys of a tile; None: by the cache

    A tile holds at least a head for each thread of a CPU, and more heads where tiles are small.
    Half precision is converted: then the keys of a tile fit, too.
    """
    import torch  # noqa: PLC0415 - the contract imports without torch

    batch, heads, group, length, width = q.shape
    threads = torch.get_num_threads() if q.device.type == "cpu" else 1
    room = CACHES * max(core_cache_bytes(q.device), CORE_CACHE_BYTES) // 4
    is_window = mask.left is not None and mask.right is not None
    reach = min(k.shape[2], (mask.left or 0) + (mask.right or 0)) if is_window else k.shape[2]
    fitting = MOST_ROWS if mask.is_full else min(MOST_ROWS, max(LEAST_ROWS, reach // 16))
    queries = min(length, blocks[0] or max(1, fitting // group))
    rows = max(group * queries, 1 if q.element_size() >= 4 else width)
    keys = min(reach + queries, k.shape[2], blocks[1] or max(STEP, room // rows // STEP * STEP))
    count = max(threads, threads * room // (rows * keys))
    return min(batch, max(1, count // heads)), min(heads, count), queries, keys


@lru_cache(maxsize=8)
def core_cache_bytes(device: torch.device) -> int:
    """Bytes of the second-level cache: of a CPU's core, or of a GPU."""
    import torch  # noqa: PLC0415 - the contract imports without torch

    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).L2_cache_size
    found = re.fullmatch(r"(\d+)K\n?", CACHE_SIZE.read_text()) if CACHE_SIZE.exists() else None
    return int(found[1]) << 10 if found else CORE_CACHE_BYTES


def _query_blocks(mask: Mask, length: int, size: int) -> Iterator[range]:
    packed = (
        [(0, length)] if mask.rows is None else [(q.start, q.stop) for q, _ in slices(mask.rows)]
    )
    for first, end in packed:
        for start in range(first, end, size):
            yield range(start, min(start + size, end))


def _seen_by_all(mask: Mask, ends: tuple[int, int], length: int) -> tuple[int, int]:
    """The keys `[start, end)` that every position of a block sees; start >= end means none."""
    rows = range(len(mask.padding) if isinstance(mask.padding, tuple) else 1)
    runs = [mask.interval(b, position, length) for b in rows for position in ends]
    return max(start for start, _ in runs), min(end for _, end in runs)


def _split(start: int, stop: int, size: int) -> Iterator[range]:
    if start < stop:
        step = ceil(ceil((stop - start) / ceil((stop - start) / size)) / STEP) * STEP
        for first in range(start, stop, step):
            yield range(first, min(first + step, stop))


def _outside(keys: range, seen: tuple[int, int]) -> range:
    """The smallest range with all keys outside of `seen`."""
    left = keys.start if keys.start < seen[0] else min(max(seen[1], keys.start), keys.stop)
    right = keys.stop if keys.stop > seen[1] else max(min(seen[0], keys.stop), keys.start)
    return range(left, right)


def _shifted(mask: Mask, positions: range, keys: range) -> tuple[range, range]:
    """The same pairs of a band, with keys from 0; other masks depend on the place."""
    by = keys.start if mask == Mask(mask.left, mask.right) else 0
    return range(positions.start - by, positions.stop - by), range(keys.start - by, keys.stop - by)


def _limit(mask: Mask, device: torch.device, positions: range, keys: range) -> Tensor:
    import torch  # noqa: PLC0415 - the contract imports without torch

    count = len(mask.padding) if isinstance(mask.padding, tuple) else 1
    rows = torch.arange(count, device=device)[:, None, None, None, None]
    queries = torch.arange(positions.start, positions.stop, device=device)[:, None, None]
    columns = torch.arange(keys.start, keys.stop, device=device)
    seen = mask.visible(rows, queries, columns)
    return torch.where(seen, float("inf"), float("-inf"))
