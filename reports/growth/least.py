"""Sums of a few powers of the length, fitted to relative errors with coefficients from zero up.

The best fit with such coefficients is the plain fit of those of its terms that come out positive.
Every choice of at most three terms is a model itself: all of them solved once, for each size left
out, in one batch, solves them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TERMS: Final = ("constant", "T", "T log T", "T²", "T³")
"""What a time is a sum of; the slowest to grow first."""
MOST_TERMS: Final = 3
MODELS: Final = tuple(
    each for count in range(1, MOST_TERMS + 1) for each in combinations(range(len(TERMS)), count)
)
"""Places in TERMS. The simplest first: of the fewest terms, then of those that grow slowest."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TOLD_APART: Final = 1e-10
"""Determinant of the terms' cosines: 1 for terms at right angles, 0 for terms that are the same.

Rounding errors of 1e-16 move coefficients by some 1e-5 at most where it is larger. Where it is
less, the sizes tell the terms apart by last digits only.
"""

_WITHIN: Final = np.array([[set(part) <= set(whole) for part in MODELS] for whole in MODELS])
SIMPLER: Final[Bools] = _WITHIN & ~np.eye(len(MODELS), dtype=bool)
"""[models, models]: whether the second has some of the first one's terms and no other."""


@dataclass(frozen=True, slots=True)
class Fits:
    """Every model fitted to all sizes, and once more without each of them.

    coefficients  [models, terms] of `columns`, in the unit of the times
    table         [sizes, terms] `columns` over the times: what the fits are made of
    proper        [models] whether all coefficients are positive: else it is a simpler model
    residuals     [models, sizes] (fitted - measured) / measured
    misses        [models, sizes] the same where the fit is to the other sizes
    """

    coefficients: Floats
    table: Floats
    proper: Bools
    residuals: Floats
    misses: Floats

    @property
    def squares(self) -> Floats:
        """[models]: the sum of the squared residuals; infinite for one that is not proper."""
        return np.where(self.proper, (self.residuals**2).sum(-1), np.inf)

    def leverage(self, place: int, terms: Floats) -> float:
        """Variance of what a proper model foretells at these terms, for errors of variance 1."""
        own = list(MODELS[place])
        table = self.table[:, own]
        cosines, norms = _cosines(table.T @ table)
        scaled = terms[own] / norms
        return float(scaled @ np.linalg.solve(cosines, scaled))


def most_terms(sizes: int) -> int:
    """Of a model for so many sizes: one is left out, and the others have to settle it."""
    return min(MOST_TERMS, sizes - 1)


def columns(sizes: Floats, largest: float) -> Floats:
    """[sizes, terms]: each term at each size, in units of itself at the largest."""
    scaled = sizes / largest
    logs = np.log2(sizes) / np.log2(largest)
    return np.stack((np.ones_like(scaled), scaled, scaled * logs, scaled**2, scaled**3), axis=-1)


def fits(sizes: Floats, times: Floats) -> Fits:
    """Every model, fitted to three distinct sizes of 1 and more, or to more, with positive times.

    A model of more terms than `most_terms` is never proper, nor one of terms that the sizes do not
    tell apart.
    """
    count = len(sizes)
    table = columns(sizes, float(sizes.max())) / times[:, None]
    kept = np.vstack((np.ones(count), 1 - np.eye(count)))  # all of them, then each left out
    solved = _solved(table, kept)
    off = solved @ table.T - 1
    squares = ((off**2) @ kept[..., None])[..., 0]
    wrong = np.where((solved >= 0).all(-1), squares, np.inf)
    best = np.where(_WITHIN, wrong[:, None, :], np.inf).argmin(-1)[..., None]
    coefficients = np.take_along_axis(solved, best, axis=1)[0]
    off = np.take_along_axis(off, best, axis=1)
    apart = np.arange(count)
    return Fits(
        coefficients=coefficients,
        table=table,
        proper=best[0, :, 0] == np.arange(len(MODELS)),
        residuals=off[0],
        misses=off[apart + 1, :, apart].T,
    )


def _solved(table: Floats, kept: Floats) -> Floats:
    """[folds, models, terms]: plain least squares; NaN for a model of too many terms.

    Likewise where the sizes of the fold do not tell its terms apart.
    """
    gram = np.einsum("fn,nt,nu->ftu", kept, table, table)
    right = kept @ table
    solved = np.full((len(kept), len(MODELS), len(TERMS)), np.nan)
    first = 0
    for size in range(1, most_terms(len(table)) + 1):
        terms = np.array([each for each in MODELS if len(each) == size])
        cosines, norms = _cosines(gram[:, terms[:, :, None], terms[:, None, :]])
        apart = (np.linalg.det(cosines) > _TOLD_APART)[..., None]
        settled = np.where(apart[..., None], cosines, np.eye(size))
        found = np.linalg.solve(settled, (right[:, terms] / norms)[..., None])[..., 0] / norms
        places = np.arange(first, first + len(terms))
        solved[:, places] = np.where(apart, 0.0, np.nan)
        solved[:, places[:, None], terms] = np.where(apart, found, np.nan)
        first += len(terms)
    return solved


def _cosines(gram: Any) -> tuple[Floats, Floats]:
    """[..., terms, terms] between the terms, and [..., terms] how large each is over the sizes.

    Terms differ by many orders of magnitude where sizes do: scaled, they lose no digits to that.
    """
    norms = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))
    return gram / (norms[..., :, None] * norms[..., None, :]), norms
