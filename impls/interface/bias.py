"""What a positional encoding adds to the scores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

FARTHEST: Final = 128
"""Distances from here on share the last bucket of their side."""


@dataclass(frozen=True, slots=True)
class Bias:
    """A description of the numbers added to the scores; `none` adds nothing.

    kind     none, alibi (minus a slope of the head times the distance, arXiv 2108.12409) or
             relative (a learnt table of bucketed distances, arXiv 1910.10683, section 2.1)
    buckets  rows of the table, for relative only: half for keys behind the query, half for those
             ahead of it
    """

    kind: str = "none"
    buckets: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("none", "alibi", "relative"):
            raise ValueError(
                f"unknown bias {self.kind!r}; expected none, alibi or relative:BUCKETS"
            )
        if (self.kind == "relative") != (self.buckets > 0) or self.buckets % 2:
            raise ValueError(
                f"bias {self.kind} with {self.buckets} buckets; expected relative:BUCKETS, an even "
                "number, and buckets for relative only"
            )

    @classmethod
    def parse(cls, text: str) -> Bias:
        """Read a bias as `str` prints it. Raises ValueError for anything else."""
        if match := re.fullmatch(r"relative:(\d+)", text):
            return cls("relative", int(match[1]))
        return cls(text)

    def __str__(self) -> str:
        return f"relative:{self.buckets}" if self.buckets else self.kind


@dataclass(frozen=True, slots=True, eq=False)
class BiasValues:
    """The tensors of a bias, made with the inputs; their gradient is not asked.

    kind    as in Bias
    values  [Hq] slopes for alibi, [Hq, buckets] the table for relative; float32 or wider
    """

    kind: str
    values: Tensor

    def at(self, distances: Tensor) -> Tensor:
        """What is added at these distances, a query's position minus a key's: [Hq, ...]."""
        if self.kind == "alibi":
            return -self.values.reshape(-1, *[1] * distances.dim()) * distances.abs()
        return self.values[:, bucket(distances, self.values.shape[1])]

    def between(self, positions: range, keys: range) -> Tensor:
        """What is added to the scores of neighbouring queries and keys: [Hq, T, K].

        positions  of the queries, on the keys' axis

        A diagonal shares its distance, so that T + K of them are looked up and then spread out.
        """
        import torch  # noqa: PLC0415 - the contract is read without torch

        nearest, farthest = positions[0] - keys[-1], positions[-1] - keys[0]
        occurring = torch.arange(farthest, nearest - 1, -1, device=self.values.device)
        return self.at(occurring).unfold(1, len(keys), 1).flip(1)


def bucket(distance: Any, buckets: int) -> Any:
    """The row of the table that a distance reads: a query's position minus a key's.

    Rows [0, buckets / 2) are for keys behind the query and its own, the rest for keys ahead. The
    first half of each side holds one distance a row, the others grow by a constant factor up to
    128. Only arithmetic and comparisons are used, so ints, arrays and tensors all work.
    """
    ahead = (distance < 0) * 1
    apart = distance * (1 - 2 * ahead)
    return ahead * (buckets // 2) + sum((apart >= first) * 1 for first in _firsts(buckets // 2))


@lru_cache(maxsize=64)
def _firsts(count: int) -> tuple[int, ...]:
    """The first distance of every row of one side but the first row."""
    exact = count // 2
    ratio = FARTHEST / max(exact, 1)
    grown = (exact * ratio ** ((row - exact) / (count - exact)) for row in range(exact, count))
    # What lies on a boundary belongs to the row that begins there, whatever rounding makes of it.
    return (*range(1, exact), *(max(1, ceil(first - 1e-9)) for first in grown))[: max(count - 1, 0)]
