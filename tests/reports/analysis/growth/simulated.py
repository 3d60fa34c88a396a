"""Series of times with a known law and 3 % of noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reports.analysis.growth.power_fits import MODELS, TERMS, fits

NOISE: Final = 0.03
SESSIONS: Final = 3
LAWS: Final[dict[str, dict[str, float]]] = {
    "quadratic": {"T²": 1},
    "overhead of a third": {"constant": 0.3, "T²": 1},
    "overhead of three": {"constant": 3, "T²": 1},
    "overhead of a hundred": {"constant": 100, "T²": 1},
    "linear": {"T": 1},
    "linear with overhead": {"constant": 5, "T": 1},
    "n log n": {"T log T": 1},
    "linear and quadratic": {"T": 5, "T²": 1},
    "mostly linear": {"T": 20, "T²": 1},
    "cubic": {"T³": 1},
    "quadratic and cubic": {"T²": 20, "T³": 1},
    "three terms": {"constant": 10, "T": 10, "T²": 1},
}
"""What each term takes at the smallest size, which the others grow from."""


@dataclass(frozen=True)
class Made:
    """times  [sessions, sizes]; `true` without noise"""

    law: str
    sizes: tuple[int, ...]
    true: Any
    times: Any

    @property
    def medians(self) -> list[float]:
        return [float(each) for each in np.median(self.times, axis=0)]

    @property
    def accepted(self) -> set[str]:
        """The law itself, and what of it lies within the noise of it at every size.

        A term that the others make up for to 3 % everywhere is invisible: nobody can ask for it.
        """
        own = set(LAWS[self.law])
        off = np.abs(fits(np.array(self.sizes, dtype=float), self.true).residuals).max(-1)
        named = [[TERMS[term] for term in terms] for terms in MODELS]
        parts = [
            each
            for each, worst in zip(named, off, strict=True)
            if set(each) == own or (set(each) < own and worst <= NOISE)
        ]
        return {" + ".join(each) for each in parts}


def series(count: int, seed: int) -> Iterator[Made]:
    """So many of each law, over 6 to 8 doublings from 128."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sizes = 128 * 2 ** np.arange(int(rng.integers(7, 10)))
        x = sizes / sizes[0]
        grown = dict(zip(TERMS, (x**0, x, x * np.log2(sizes) / 7, x**2, x**3), strict=True))
        for law, parts in LAWS.items():
            true = sum(part * grown[term] for term, part in parts.items())
            drawn = NOISE * rng.standard_normal((SESSIONS, len(sizes)))
            yield Made(law, tuple(int(size) for size in sizes), true, true * np.exp(drawn))
