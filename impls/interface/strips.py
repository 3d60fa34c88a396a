"""Strips of a window: the keys that a block of queries sees, for several blocks at once.

Strips of adjacent blocks overlap, but lie at equal distances in memory: one view has them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from typing import TYPE_CHECKING

from impls.interface.mask import Mask

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Strips:
    """Strips of L keys for N adjacent blocks of R queries, of H key heads.

    batch    their batch row
    heads    their key heads
    blocks   the first query of each block: N numbers, R apart
    key      the first key of the first strip; the next strip begins R keys later
    columns  of a whole strip, those that are keys: L, fewer where padding or a document ends
    """

    batch: int
    heads: slice
    blocks: range
    key: int
    columns: slice

    @property
    def length(self) -> int:
        """Keys of a strip, L."""
        return self.columns.stop - self.columns.start

    def rows(self, x: Tensor) -> Tensor:
        """The rows of the queries in x [B, Hk, G, Tq, C] as a view, [H, N, G, R, C]."""
        batch, head, group, time, column = x.stride()
        start = self.batch * batch + self.heads.start * head + self.blocks.start * time
        heads, size = self.heads.stop - self.heads.start, self.blocks.step
        # Slices and transpositions are six operators, which take 7 % of a call longer.
        return x.as_strided(
            (heads, len(self.blocks), x.shape[2], size, x.shape[4]),
            (head, size * time, group, time, column),
            x.storage_offset() + start,
        )

    def keys(self, x: Tensor, dtype: torch.dtype, part: slice = slice(None)) -> Tensor:
        """Part of each strip in x [B, Hk, Tk, C], [H, N, L, C]: of x, or of a copy in the dtype."""
        start, end, _ = part.indices(self.length)
        last = self.blocks[-1] - self.blocks.start + end
        x = x[self.batch, self.heads, self.key + start : self.key + last].to(dtype)
        return x.unfold(1, end - start, self.blocks.step).mT

    def disjoint(self) -> Iterator[slice]:
        """Parts of a strip, such that the same parts of two strips have no key in common."""
        size = self.blocks.step if len(self.blocks) > 1 else self.length
        for start in range(0, self.length, size):
            yield slice(start, min(start + size, self.length))


def strips_of(
    mask: Mask, q: Tensor, k: Tensor, whole: tuple[int, int, int], most: int
) -> Iterator[Strips]:
    """Strips for every query that sees a key, once.

    q      [B, Hk, G, Tq, D]
    k      [B, Hk, Tk, D]
    whole  queries of a block, keys of its whole strip, and the keys before the own key of its
           first query
    most   scores of some strips, G R L of each of N H; more where a block of one head has more

    Blocks whose strips are cut short, and a last block of fewer queries, are alone, N = 1.
    """
    heads, group, length = q.shape[1:4]
    offset = k.shape[2] - length - whole[2]
    for batch, queries, keys in _segments(mask, len(q), (length, k.shape[2])):
        row = queries.start
        while row < queries.stop:
            size, first = min(whole[0], queries.stop - row), row + offset
            start, end = max(first, keys.start), min(first + whole[1], keys.stop)
            count, scores = 1, group * size * max(end - start, 1)
            if (size, end - start) == whole[:2]:
                fits = (queries.stop - row) // size, (keys.stop - end) // size + 1, most // scores
                count = max(min(fits), 1)
            blocks = range(row, row + count * size, size)
            step = max(most // (scores * count), 1)
            for head in range(0, heads if start < end else 0, step):
                own = slice(head, min(head + step, heads))
                yield Strips(batch, own, blocks, start, slice(start - first, end - first))
            row = blocks.stop


def _segments(
    mask: Mask, batch: int, lengths: tuple[int, int]
) -> Iterator[tuple[int, range, range]]:
    """A batch row, and queries with the keys that padding and documents let them see."""
    spans = [(range(lengths[0]), range(lengths[1]))]
    if mask.documents is not None:
        spans = [(range(*x), range(*x)) for x in pairwise((0, *accumulate(mask.documents)))]
    padding = mask.resolved(batch, lengths[1]).padding
    for row, (queries, keys) in product(range(batch), spans):
        start, end = padding[row] if isinstance(padding, tuple) else (0, lengths[1])
        yield row, queries, range(max(keys.start, start), min(keys.stop, end))
