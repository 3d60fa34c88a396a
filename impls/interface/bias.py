"""Biases: terms that are added to the scores, most of them by a positional encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

FARTHEST: Final = 128
"""Distances from this one up share the last bucket of their side (arXiv 1910.10683)."""


@dataclass(frozen=True, slots=True)
class Bias:
    """A bias of the scores, without its values.

    kind     none, alibi (minus a slope of the head times the distance, arXiv 2108.12409),
             relative (a learnt table of bucketed distances, arXiv 1910.10683, section 2.1) or
             dense (a tensor with a number for each head, query and key)
    buckets  rows of the table, for relative only: half for keys before the query, half for keys
             after it
    """

    kind: str = "none"
    buckets: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("none", "alibi", "relative", "dense"):
            raise ValueError(
                f"unknown bias {self.kind!r}; expected none, alibi, relative:BUCKETS or dense"
            )
        if (self.kind == "relative") != (self.buckets > 0) or self.buckets % 2:
            raise ValueError(
                f"bias {self.kind} with {self.buckets} buckets; expected relative:BUCKETS, an even "
                "number, and buckets for relative only"
            )

    @classmethod
    def parse(cls, text: str) -> Bias:
        """Parse the text of a bias, the inverse of `str`. Raises ValueError for other text."""
        if match := re.fullmatch(r"relative:(\d+)", text):
            return cls("relative", int(match[1]))
        return cls(text)

    def __str__(self) -> str:
        return f"relative:{self.buckets}" if self.buckets else self.kind


@dataclass(frozen=True, slots=True, eq=False)
class BiasValues:
    """The tensors of a bias, made with the inputs; no gradient is taken for them.

    kind    as in Bias
    values  [Hq] slopes for alibi, [Hq, buckets] the table for relative: float32 or wider;
            [Hq, Tq, Tk] for dense, in the dtype of q
    """

    kind: str
    values: Tensor

    def at(self, distances: Tensor) -> Tensor:
        """The bias at these distances (query position minus key position), [Hq, ...].

        Raises ValueError for a dense bias, which depends on more than the distance.
        """
        if self.kind == "dense":
            raise ValueError("a dense bias has no value for a distance: call bias.between")
        if self.kind == "alibi":
            return -self.values.reshape(-1, *[1] * distances.dim()) * distances.abs()
        return self.values[:, bucket(distances, self.values.shape[1])]

    def of_pairs(self, positions: Any, keys: Any) -> Tensor:
        """The bias of these pairs, which broadcast, [Hq, ...].

        positions  of the queries, on the keys' axis; int64 tensors, or one of both an int
        """
        if self.kind == "dense":
            return self.values[:, positions - self._first, keys]
        return self.at(positions - keys)

    def between(self, positions: range, keys: range) -> Tensor:
        """The bias of contiguous queries and keys, [Hq, T, K].

        positions  of the queries, on the keys' axis
        keys       those after the last one, which the padding of a kernel has, get 0 if it is dense

        A dense bias is sliced. For others, entries of a diagonal have one distance: T + K values
        are computed, then expanded.
        """
        import torch  # noqa: PLC0415 - the contract imports without torch

        if self.kind == "dense":
            first, after = self._first, keys.stop - self.values.shape[2]
            rows = slice(positions.start - first, positions.stop - first)
            found = self.values[:, rows, keys.start : keys.stop]
            return torch.nn.functional.pad(found, (0, after)) if after > 0 else found
        nearest, farthest = positions[0] - keys[-1], positions[-1] - keys[0]
        occurring = torch.arange(farthest, nearest - 1, -1, device=self.values.device)
        return self.at(occurring).unfold(1, len(keys), 1).flip(1)

    @property
    def _first(self) -> int:
        """The position of the first query of a dense bias."""
        return self.values.shape[2] - self.values.shape[1]


def bucket(distance: Any, buckets: int) -> Any:
    """The table row of a distance, query position minus key position (arXiv 1910.10683).

    Rows [0, buckets / 2) are for the query's own key and keys before it, the rest for keys after.
    In the first half of each side a row is one distance; further rows grow by a constant factor up
    to 128. Works on ints, arrays and tensors.
    """
    ahead = (distance < 0) * 1
    apart = distance * (1 - 2 * ahead)
    return ahead * (buckets // 2) + sum((apart >= first) * 1 for first in _firsts(buckets // 2))


@lru_cache(maxsize=64)
def _firsts(count: int) -> tuple[int, ...]:
    """The first distance of every row of one side, without the first row."""
    exact = count // 2
    ratio = FARTHEST / max(exact, 1)
    grown = (exact * ratio ** ((row - exact) / (count - exact)) for row in range(exact, count))
    # A distance on a boundary belongs to the row that starts there, despite rounding.
    return (*range(1, exact), *(max(1, ceil(first - 1e-9)) for first in grown))[: max(count - 1, 0)]
