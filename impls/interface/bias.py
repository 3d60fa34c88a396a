"""What a positional encoding adds to the scores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Bias:
    """A description of the numbers added to the scores; `none` adds nothing.

    kind     none, alibi (a slope per head times the distance, arXiv 2108.12409) or relative
             (a learnt table of bucketed distances, arXiv 1910.10683)
    buckets  rows of the table, for relative only
    """

    kind: str = "none"
    buckets: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("none", "alibi", "relative"):
            raise ValueError(
                f"unknown bias {self.kind!r}; expected none, alibi or relative:BUCKETS"
            )
        if (self.kind == "relative") != (self.buckets > 0):
            raise ValueError(
                f"bias {self.kind} with {self.buckets} buckets; expected relative:BUCKETS, "
                "and buckets for relative only"
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
    values  [Hq] slopes for alibi, [Hq, buckets] the table for relative
    """

    kind: str
    values: Tensor
