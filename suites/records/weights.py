"""Attention weights of an implementation on a problem, read out of it, beside the reference's."""

from __future__ import annotations

from typing import Final, Literal

from suites.records.codec import Count, ProblemText, message

MOST_WEIGHTS: Final = 1 << 23
"""Weights of a problem that are read out, over all heads: 64 MiB in float64."""
MOST_POSITIONS: Final = 256
"""Queries and keys of a head that are drawn."""
MOST_HEADS: Final = 8
"""Heads that are drawn, over all batch rows."""
Kind = Literal["nan", "hidden", "lost", "other"]
"""Ways in which a weight is wrong, the gravest first."""
MOST_CELLS: Final = 1 << 16
"""Weights that are drawn, over all heads, unless a single head has more."""


@message
class Weight:
    """One weight: its place, and its value by the implementation and by the reference."""

    batch_row: Count
    head: Count
    query: Count
    key: Count
    found: float
    expected: float

    @property
    def off(self) -> float:
        """The implementation's weight minus the reference's."""
        return self.found - self.expected


@message
class Deviation:
    """Weights that are wrong in one way: the one that is furthest off, and how many queries.

    kind     nan: a weight is NaN; hidden: a key that the mask hides has a weight; lost: a visible
             key has none; other: a visible key has another weight
    queries  with such a weight, over all heads
    """

    kind: Kind
    worst: Weight
    queries: Count


@message
class HeadWeights:
    """The weights of a head that are drawn, [queries][keys]; the sums are over all keys.

    weights, sums      by the implementation
    expected, wanted   the same by the reference
    visible            the visible keys of each query, as first and end
    """

    batch_row: Count
    head: Count
    weights: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    sums: tuple[float, ...]
    wanted: tuple[float, ...]
    visible: tuple[tuple[int, int], ...]


@message
class Weights:
    """The weights of an implementation on a problem.

    fault        why there are none, in one line; empty where there are
    approximate  whether it approximates its reference, so that no bound applies
    agrees       whether every weight is within the rounding bound
    largest      the weight that is furthest off
    deviations   ways in which weights differ; empty where they agree
    sums         the smallest and the largest sum of a query's weights; of queries that see a key
    wanted       the same by the reference
    keyless      queries that see no key, over all batch rows
    calls        calls that read the weights out
    """

    implementation: str
    problem: ProblemText
    fault: str = ""
    approximate: bool = False
    agrees: bool = False
    largest: Weight | None = None
    deviations: tuple[Deviation, ...] = ()
    sums: tuple[float, float] | None = None
    wanted: tuple[float, float] | None = None
    keyless: Count = 0
    calls: Count = 0
    heads: tuple[HeadWeights, ...] = ()
