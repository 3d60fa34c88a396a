"""The keys that queries see: a band, key ranges and documents, found from a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

Ranges = tuple[tuple[int, int], ...]
"""Pairs of numbers, one for each batch row or packed sequence."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The keys that queries see: the intersection of three parts, as in a problem's mask.

    The last query lines up with the last key. Position q sees key k if -right <= q - k < left.

    came       how the mask came: none, is_causal, bool, additive, lengths, block mask
    padding    range [start, end) of keys for each batch row
    documents  lengths
    rows       Tq and Tk of packed sequences; a band lines up the ends of each
    bias       alibi, or empty
    reason     why it is none of these; empty: it is
    """

    came: str = "none"
    left: int | None = None
    right: int | None = None
    padding: Ranges | None = None
    documents: tuple[int, ...] | None = None
    rows: Ranges | None = None
    bias: str = ""
    reason: str = ""


NO_MASK: Final = Seen()


@dataclass(frozen=True, slots=True)
class Rows:
    """Keys [start, end) of each query, both [B, Tq] on the CPU; 0 and 0 for no key.

    B is 1 where all batch rows are equal.
    """

    starts: Tensor
    ends: Tensor
    keys: int

    @property
    def positions(self) -> Tensor:
        """Of the queries on the axis of the keys, [Tq]."""
        queries = self.starts.shape[1]
        return torch.arange(queries, device="cpu") + self.keys - queries

    @property
    def is_empty(self) -> Tensor:
        """The queries that see no key, [B, Tq]."""
        return self.ends == 0


def rows_of(visible: Tensor, *, collapse: bool = True) -> Rows | None:
    """The intervals of a bool tensor [B, Tq, Tk]; None where the keys of a query are no interval.

    collapse  equal batch rows to one
    """
    keys = visible.shape[-1]
    marks = visible.to(torch.uint8)
    count = marks.sum(-1)
    first = marks.argmax(-1)
    end = keys - marks.flip(-1).argmax(-1)
    some = count > 0
    starts, ends = (first * some).cpu(), (end * some).cpu()
    if not bool(((ends - starts) == count.cpu()).all()):
        return None
    if (
        collapse
        and len(starts) > 1
        and bool((starts == starts[:1]).all() & (ends == ends[:1]).all())
    ):
        starts, ends = starts[:1], ends[:1]
    return Rows(starts, ends, keys)


def ranges_of(rows: Rows, batch: int) -> Ranges | None:
    """Keys [start, end) of each batch row, by its first query; None where every row sees all."""
    found = tuple(zip(rows.starts[:, 0].tolist(), rows.ends[:, 0].tolist(), strict=True))
    if all(each == (0, rows.keys) for each in found):
        return None
    return found if len(found) == batch else found * batch


def parts_of(rows: Rows, batch: int) -> dict[str, Any] | None:
    """The parts of the mask that has exactly these rows; None where no mask of the grammar has.

    The simplest is found first: a band; ranges; both; documents; documents with an end.
    """
    for low, high, parts in _limits(rows, batch):
        if (band := _band(rows, low, high)) is not None and _renders(rows, low, high, band):
            left, right = band
            if left is not None and rows.starts.shape[1] == 1 and "padding" not in parts:
                right = 0  # a single query is at the last key
            return parts | {"left": left, "right": right}
    return None


def _limits(rows: Rows, batch: int) -> Iterator[tuple[Tensor, Tensor, dict[str, Any]]]:
    """Limits of the keys beside a band, [B, 1] or [B, Tq], with the parts that make them."""
    whole = torch.tensor([[0]], device="cpu"), torch.tensor([[rows.keys]], device="cpu")
    yield *whole, {}
    low = rows.starts.masked_fill(rows.is_empty, rows.keys).amin(1, keepdim=True)
    high = rows.ends.amax(1, keepdim=True)
    low = torch.minimum(low, high)
    ranges = tuple(zip(low[:, 0].tolist(), high[:, 0].tolist(), strict=True))
    yield low, high, {"padding": ranges if len(ranges) == batch else ranges * batch}
    if len(rows.starts) == 1 and rows.starts.shape[1] == rows.keys:
        yield from _documents(rows, batch)


def _documents(rows: Rows, batch: int) -> Iterator[tuple[Tensor, Tensor, dict[str, Any]]]:
    """Limits of packed documents; queries at the end that see no key are padding."""
    used = int(rows.ends.max())
    starts, ends = rows.starts[0, :used], rows.ends[0, :used]
    if used == 0 or bool((ends == 0).any()):
        return
    place = torch.arange(used, device="cpu")
    # A document begins at i if no earlier query sees i or later, and no later query sees before i.
    reached = torch.cat([torch.zeros(1, dtype=ends.dtype), ends.cummax(0).values[:-1]])
    needed = starts.flip(0).cummin(0).values.flip(0)
    firsts = torch.nonzero((reached <= place) & (needed >= place))[:, 0].tolist()
    lengths = [b - a for a, b in zip(firsts, [*firsts[1:], used], strict=True)]
    parts: dict[str, Any] = {}
    if used < rows.keys:
        parts["padding"] = ((0, used),) * batch
        lengths.append(rows.keys - used)
    counts = torch.tensor(lengths, device="cpu")
    stops = counts.cumsum(0)
    low, high = (stops - counts).repeat_interleave(counts), stops.repeat_interleave(counts)
    if used < rows.keys:
        low, high = low.clamp(max=used), high.clamp(max=used)
    yield low[None], high[None], parts | {"documents": tuple(lengths)}


def _band(rows: Rows, low: Tensor, high: Tensor) -> tuple[int | None, int | None] | None:
    """The reaches (left, right) of the queries that no limit cuts; None where there is no band."""
    some = ~rows.is_empty
    left = (rows.positions - rows.starts + 1)[some & (rows.starts > low)]
    right = (rows.ends - rows.positions - 1)[some & (rows.ends < high)]
    reach = tuple(int(each[0]) if len(each) else None for each in (left, right))
    if (reach[0] is not None and reach[0] < 1) or (reach[1] is not None and reach[1] < 0):
        return None
    return reach[0], reach[1]


def _renders(rows: Rows, low: Tensor, high: Tensor, band: tuple[int | None, int | None]) -> bool:
    """Whether the band within these limits has exactly these rows."""
    left, right = band
    starts, ends = low.expand_as(rows.starts), high.expand_as(rows.ends)
    if left is not None:
        starts = starts.maximum(rows.positions - left + 1)
    if right is not None:
        ends = ends.minimum(rows.positions + right + 1)
    some = starts < ends
    return bool((starts * some == rows.starts).all() & (ends * some == rows.ends).all())
