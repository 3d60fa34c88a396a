"""Least-squares fits of sums of powers of the length, with coefficients of 0 or more.

The residuals are relative. The best non-negative fit is the plain least-squares fit of the terms
whose coefficients are positive. Every choice of at most three terms is a model of its own, so all
models are solved in one batch: on all sizes, and on all sizes but one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TERMS: Final = ("constant", "T", "T log T", "T²", "T³")
"""Terms of a model of times; the slowest growth first."""
MOST_TERMS: Final = 3
MODELS: Final = tuple(
    each for count in range(1, MOST_TERMS + 1) for each in combinations(range(len(TERMS)), count)
)
"""Positions in TERMS. The fewest terms first, then the slowest growth."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DISTINCT: Final = 1e-10
"""Least determinant of the cosines between terms: 1 for orthogonal terms, 0 for equal ones.

Above it, rounding errors of 1e-16 change coefficients by about 1e-5 at most. Below it, the terms
differ at these sizes in the last digits only.
"""

_WITHIN: Final = np.array([[set(part) <= set(whole) for part in MODELS] for whole in MODELS])
SIMPLER: Final[Bools] = _WITHIN & ~np.eye(len(MODELS), dtype=bool)
"""[models, models]: whether the terms of the second are a proper subset of those of the first."""


@dataclass(frozen=True, slots=True)
class Fits:
    """Every model fitted to all sizes, and to all sizes but one.

    coefficients  [models, terms] of `columns`, in the unit of the times
    table         [sizes, terms] `columns` divided by the times: the design matrix
    proper        [models] whether all coefficients are positive; if not, a simpler model fits
    residuals     [models, sizes] (fitted - measured) / measured
    misses        [models, sizes] the same, of the fit to the other sizes
    """

    coefficients: Floats
    table: Floats
    proper: Bools
    residuals: Floats
    misses: Floats

    @property
    def squares(self) -> Floats:
        """[models]: the sum of the squared residuals; infinite for a model that is not proper."""
        return np.where(self.proper, (self.residuals**2).sum(-1), np.inf)

    def leverage(self, place: int, terms: Floats) -> float:
        """Variance of the prediction of a proper model at these terms, for errors of variance 1."""
        own = list(MODELS[place])
        table = self.table[:, own]
        cosines, norms = _cosines(table.T @ table)
        scaled = terms[own] / norms
        return float(scaled @ np.linalg.solve(cosines, scaled))


def most_terms(sizes: int) -> int:
    """The most terms of a model: after one size is left out, the others must determine it."""
    return min(MOST_TERMS, sizes - 1)


def columns(sizes: Floats, largest: float) -> Floats:
    """[sizes, terms]: each term at each size, divided by its value at the largest size."""
    scaled = sizes / largest
    logs = np.log2(sizes) / np.log2(largest)
    return np.stack((np.ones_like(scaled), scaled, scaled * logs, scaled**2, scaled**3), axis=-1)


def fits(sizes: Floats, times: Floats) -> Fits:
    """Every model, fitted to three or more distinct sizes of 1 or more, with positive times.

    A model is not proper when it has more terms than `most_terms`, or when its terms are not
    distinct at these sizes.
    """
    count = len(sizes)
    table = columns(sizes, float(sizes.max())) / times[:, None]
    kept = np.vstack((np.ones(count), 1 - np.eye(count)))  # all sizes, then each left out
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
    """[folds, models, terms]: plain least squares.

    NaN for a model of too many terms, and where its terms are not distinct at the sizes of a fold.
    """
    gram = np.einsum("fn,nt,nu->ftu", kept, table, table)
    right = kept @ table
    solved = np.full((len(kept), len(MODELS), len(TERMS)), np.nan)
    first = 0
    for size in range(1, most_terms(len(table)) + 1):
        terms = np.array([each for each in MODELS if len(each) == size])
        cosines, norms = _cosines(gram[:, terms[:, :, None], terms[:, None, :]])
        apart = (np.linalg.det(cosines) > _DISTINCT)[..., None]
        settled = np.where(apart[..., None], cosines, np.eye(size))
        found = np.linalg.solve(settled, (right[:, terms] / norms)[..., None])[..., 0] / norms
        places = np.arange(first, first + len(terms))
        solved[:, places] = np.where(apart, 0.0, np.nan)
        solved[:, places[:, None], terms] = np.where(apart, found, np.nan)
        first += len(terms)
    return solved


def _cosines(gram: Any) -> tuple[Floats, Floats]:
    """Cosines between the terms [..., terms, terms], and their norms over the sizes [..., terms].

    Terms differ by many orders of magnitude; scaling by the norms avoids a loss of digits.
    """
    norms = np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1))
    return gram / (norms[..., :, None] * norms[..., None, :]), norms
