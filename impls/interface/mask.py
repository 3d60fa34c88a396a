"""Masks: which keys a query sees, as a value and not as a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

from impls.interface.mask_text import GRAMMAR, parse_part, parts_of
from impls.interface.rows import Rows, ends, located, located_row, passed, text_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mask:
    """The intersection of a band, key ranges per batch row, and packed documents or rows.

    Alignment is bottom-right: the last query is at the position of the last key, so that row `i` of
    `Tq` queries has position `i + Tk - Tq`. Position `q` sees key `k` if and only if
    `-right <= q - k < left`: the left reach includes the query's own key.

    left       number of keys back, the own key included; None is unlimited
    right      number of keys ahead; None is unlimited, 0 is causal
    padding    fraction of keys hidden in the most padded batch row, or `[start, end)` of the real
               keys, one pair for each batch row
    documents  lengths of packed sequences, which do not see each other
    rows       Tq and Tk of packed requests, which do not see each other; the band lines up the last
               query of each row with the row's last key

    Raises ValueError for invalid reaches, ranges and lengths.
    """

    left: int | None = None
    right: int | None = None
    padding: float | tuple[tuple[int, int], ...] | None = None
    documents: tuple[int, ...] | None = None
    rows: Rows | None = None

    def __post_init__(self) -> None:
        if self.left is not None and self.left < 1:
            raise ValueError(
                f"window: the left reach is {self.left}, expected at least 1, the own key"
            )
        if self.right is not None and self.right < 0:
            raise ValueError(f"window: the right reach is {self.right}, expected 0 or more")
        if isinstance(self.padding, float) and not 0 < self.padding < 1:
            raise ValueError(f"padding: {self.padding} of the keys, expected between 0 and 1")
        if isinstance(self.padding, tuple) and not (
            self.padding and all(0 <= s <= e for s, e in self.padding)
        ):
            raise ValueError(f"padding: ranges {self.padding}, expected 0 <= start <= end")
        if self.documents is not None and (not self.documents or min(self.documents) < 1):
            raise ValueError(f"documents: lengths {self.documents}, expected 1 or more each")
        if self.rows is not None:
            self._check_rows(self.rows)

    def _check_rows(self, rows: Rows) -> None:
        if not rows or min(map(min, rows)) < 1:
            raise ValueError(f"rows: Tq and Tk {rows}, expected 1 or more each")
        if self.padding is not None or self.documents is not None:
            raise ValueError(
                "rows beside padding or documents, expected a band: write each sequence as a row"
            )

    @classmethod
    def parse(cls, text: str) -> Mask:
        """Parse the text of a mask, the inverse of `str`. Raises ValueError with the grammar."""
        parts: dict[str, Any] = {}
        for word in parts_of(text):
            part = parse_part(word)
            if part is None:
                raise ValueError(f"unknown mask {text!r}; expected {GRAMMAR}")
            if parts.keys() & part.keys():
                raise ValueError(f"mask {text!r} names one part twice; expected each at most once")
            parts |= part
        return cls(**parts)

    def __str__(self) -> str:
        return "+".join(self._words()) or "full"

    @property
    def kind(self) -> str:
        """The parts without numbers, as in Limits: `causal`, `window+padding`."""
        return "+".join(word.split(":")[0] for word in self._words()) or "full"

    @property
    def of_one_row(self) -> Mask:
        """The mask of one row alone, on the queries and keys of that row."""
        return replace(self, rows=None)

    @property
    def packed_lengths(self) -> tuple[int, int] | None:
        """Tq and Tk of all rows or documents together; None without them."""
        if self.documents is not None:
            return sum(self.documents), sum(self.documents)
        if self.rows is not None:
            return sum(q for q, _ in self.rows), sum(k for _, k in self.rows)
        return None

    @property
    def is_full(self) -> bool:
        """Whether every query sees every key."""
        return self == FULL

    def visible(self, b: Any, q: Any, k: Any) -> Any:
        """Whether batch row `b` sees key `k` from position `q`.

        Works on ints, numpy arrays and tensors, which broadcast: it uses only arithmetic and
        comparisons. The position of a query is its row plus `Tk - Tq`. Raises ValueError for a
        padding fraction: call `resolved` first.
        """
        row, position = (0, q) if self.rows is None else located(self.rows, q)
        distance = position - k
        seen = distance == distance  # noqa: PLR0124 - all True, in the shape and type of the arguments
        if self.rows is not None:
            seen = seen & (k >= 0) & (passed(k, ends(self.rows)[1]) == row)
        if self.left is not None:
            seen = seen & (distance < self.left)
        if self.right is not None:
            seen = seen & (distance >= -self.right)
        if self.padding is not None:
            ranges = self._ranges()
            start = sum((b == row) * s for row, (s, _) in enumerate(ranges))
            end = sum((b == row) * e for row, (_, e) in enumerate(ranges))
            seen = seen & (k >= start) & (k < end)
        if self.documents is not None:
            stops = tuple(accumulate(self.documents))
            seen = seen & (k >= 0) & (passed(q, stops) == passed(k, stops))
        return seen

    def dense(self, batch: int, query_length: int, key_length: int, device: torch.device) -> Tensor:
        """The visible pairs as a bool tensor, [Tq, Tk], or [B, 1, Tq, Tk] with padding.

        A tensor that is made in inference mode and cached also works in a later training call.
        """
        import torch  # noqa: PLC0415 - the contract imports without torch

        with torch.inference_mode(mode=False):
            rows = torch.arange(batch, device=device)[:, None, None, None]
            queries = torch.arange(query_length, device=device)[:, None] + key_length - query_length
            seen: Tensor = self.visible(rows, queries, torch.arange(key_length, device=device))
            return seen

    def interval(self, b: int, q: int, key_length: int) -> tuple[int, int]:
        """The keys `[start, end)` that batch row `b` sees from position `q`; (0, 0) for none.

        Every part of a mask allows one interval of keys, so their intersection is an interval.
        """
        start, end = self._run(b, q, key_length)
        return (start, end) if start < end else (0, 0)

    def span(self, first: int, last: int, key_length: int) -> tuple[int, int]:
        """The smallest `[start, end)` with all keys that positions `first` to `last` see."""
        rows = self._batch_rows()
        start = min(self._run(b, first, key_length)[0] for b in rows)
        end = max(self._run(b, last, key_length)[1] for b in rows)
        return (start, end) if start < end else (0, 0)

    def covers(self, first: int, last: int, start: int, end: int, key_length: int) -> bool:
        """Whether every position from `first` to `last` sees all keys `[start, end)`."""
        return all(
            self._run(b, last, key_length)[0] <= start and end <= self._run(b, first, key_length)[1]
            for b in self._batch_rows()
        )

    def resolved(self, batch: int, key_length: int) -> Mask:
        """The mask with its padding fraction replaced by key ranges.

        The hidden fraction falls linearly from `padding` in the first batch row to 0 in the last.
        Even rows are padded on the right, odd rows on the left.
        """
        if not isinstance(self.padding, float):
            return self
        ranges = []
        for row in range(batch):
            hidden = round(self.padding * key_length * (1 - row / max(batch - 1, 1)))
            ranges.append((0, key_length - hidden) if row % 2 == 0 else (hidden, key_length))
        return replace(self, padding=tuple(ranges))

    def visible_pairs(self, batch: int, query_length: int, key_length: int) -> int:
        """The exact number of visible (batch row, query, key) triples."""
        return _visible_pairs(self.resolved(batch, key_length), batch, query_length, key_length)

    def hides_a_row(self, batch: int, query_length: int, key_length: int) -> bool:
        """Whether some query sees no key."""
        return _hides_a_row(self.resolved(batch, key_length), query_length, key_length)

    def hides_a_key(self, batch: int, query_length: int, key_length: int) -> bool:
        """Whether some query does not see every key; a causal mask hides none from one query."""
        return _hides_a_key(self, batch, query_length, key_length)

    def _ranges(self) -> tuple[tuple[int, int], ...]:
        if not isinstance(self.padding, tuple):
            raise ValueError(  # noqa: TRY004 - a wrong value, not a wrong type
                f"mask {self}: resolve its padding for a batch and a key length first"
            )
        return self.padding

    def _batch_rows(self) -> range:
        return range(len(self._ranges()) if self.padding is not None else 1)

    def _run(self, b: int, q: int, key_length: int) -> tuple[int, int]:
        """The bounds of `interval`, both monotonic in `q`; start >= end means empty."""
        if self.rows is not None:
            return self._run_of_row(self.rows, q)
        start = 0 if self.left is None else q - self.left + 1
        end = key_length if self.right is None else q + self.right + 1
        if self.padding is not None:
            first, last = self._ranges()[b]
            start, end = max(start, first), min(end, last)
        if self.documents is not None:
            stops = tuple(accumulate(self.documents))
            index = min(passed(q, stops), len(stops) - 1)
            start, end = max(start, stops[index] - self.documents[index]), min(end, stops[index])
        return max(start, 0), min(end, key_length)

    def _run_of_row(self, rows: Rows, q: int) -> tuple[int, int]:
        """The bounds within the query's row, where an empty run stays: so they are monotonic."""
        row, position = located_row(rows, q)
        last = ends(rows)[1][row]
        first = last - rows[row][1]
        start = first if self.left is None else max(first, position - self.left + 1)
        end = last if self.right is None else min(last, position + self.right + 1)
        return start, max(end, first)

    def _words(self) -> Iterator[str]:
        if (self.left, self.right) == (None, 0):
            yield "causal"
        elif self.left is not None or self.right is not None:
            left, right = ("*" if reach is None else reach for reach in (self.left, self.right))
            yield f"window:{left}" if right == 0 else f"window:{left}:{right}"
        if isinstance(self.padding, float):
            yield f"padding:{self.padding}"
        elif self.padding is not None:
            yield "padding:" + "/".join(f"{s}-{e}" for s, e in self.padding)
        if self.documents is not None:
            runs = [(length, len(list(same))) for length, same in groupby(self.documents)]
            yield "documents:" + "/".join(f"{n}x{c}" if c > 1 else f"{n}" for n, c in runs)
        if self.rows is not None:
            yield f"rows:{text_of(self.rows)}"


FULL = Mask()
CAUSAL = Mask(right=0)


@lru_cache(maxsize=4096)
def _visible_pairs(mask: Mask, batch: int, query_length: int, key_length: int) -> int:
    offset = key_length - query_length
    rows = range(batch) if mask.padding is not None else range(1)
    runs = (mask.interval(b, q + offset, key_length) for b in rows for q in range(query_length))
    return sum(end - start for start, end in runs) * (1 if mask.padding is not None else batch)


@lru_cache(maxsize=4096)
def _hides_a_key(mask: Mask, batch: int, query_length: int, key_length: int) -> bool:
    whole, last = mask.resolved(batch, key_length), key_length - 1
    return not whole.covers(key_length - query_length, last, 0, key_length, key_length)


@lru_cache(maxsize=4096)
def _hides_a_row(mask: Mask, query_length: int, key_length: int) -> bool:
    rows = range(len(mask.padding)) if isinstance(mask.padding, tuple) else range(1)
    queries = range(key_length - query_length, key_length)
    return any(mask.interval(b, q, key_length) == (0, 0) for b in rows for q in queries)
