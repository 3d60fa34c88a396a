"""The gate on training: the first losses of an implementation beside those of honest ones.

The three honest implementations compute the same function with other roundings. The largest
difference between their losses is what rounding makes of a loss here. An implementation may differ
from each of them by ten times that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import inf, isfinite
from typing import Final, NamedTuple

HONEST: Final = ("naive", "sdpa_math", "sdpa_flash")
"""Implementations that the threshold comes from, always trained."""
FACTOR: Final = 10
"""An implementation may differ by so many times the largest difference of honest ones."""
JUDGED_STEPS: Final = 10
"""Losses that are compared: later ones amplify rounding differences."""
FEWEST: Final = 2
"""Honest implementations without which there is no threshold."""

Losses = Mapping[str, Sequence[float]]
"""The losses of every step, by implementation."""


class Gate(NamedTuple):
    """The threshold of a task.

    honest   losses of the honest implementations that were trained
    allowed  the largest difference that passes; None: too few honest implementations were trained
    """

    honest: Losses
    allowed: float | None

    @classmethod
    def of(cls, losses: Losses) -> Gate:
        """The gate from the losses of all implementations of a task."""
        honest = {name: losses[name] for name in HONEST if name in losses}
        if len(honest) < FEWEST:
            return cls(honest, None)
        pairs = combinations(honest.values(), 2)
        return cls(honest, FACTOR * max(difference(one, other) for one, other in pairs))

    def difference(self, losses: Sequence[float]) -> float:
        """The largest difference of the first losses to those of any honest implementation."""
        return max(difference(losses, own) for own in self.honest.values())

    def passes(self, losses: Sequence[float]) -> bool | None:
        """Whether the first losses are within what is allowed; None without a threshold."""
        return None if self.allowed is None else self.difference(losses) <= self.allowed


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of the first losses; inf where one of them is not finite."""
    pairs = list(zip(one[:JUDGED_STEPS], other[:JUDGED_STEPS], strict=True))
    if not all(isfinite(a) and isfinite(b) for a, b in pairs):
        return inf
    return max(abs(a - b) for a, b in pairs)
