"""Models of times over lengths, sums of powers, and their predictions of the longest lengths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from reports.analysis.growth.power_fits import (
    MODELS,
    SIMPLER,
    TERMS,
    Bools,
    Fits,
    Floats,
    columns,
    fits,
    most_terms,
)
from suites.stats.intervals import RISK

FEWEST: Final = 4
"""The fewest sizes of a model: three to fit, and one to predict."""
LEAST_SPAN: Final = 1.5
"""The least ratio of the last to the first of the sizes that are fitted.

The median of three sessions with 3 % of noise has an error of 2 %. Over three even steps up to 1.5
an exponent then has a standard error of 0.07; at one degree of freedom a 95 % interval is 12.7 of
these. Over a smaller ratio even T and T² cannot be distinguished.
"""
TIMES_MS: Final = (1e-12, 1e15)
"""The range of plausible times: from far below one clock cycle to 30 thousand years."""
LOOSE: Final = 0.25
"""A model with a larger relative error at any size is rejected."""
WIDEST: Final = 4
"""The largest ratio of the bounds of a prediction: twice and half of the value. Wider bounds
would contain almost any time."""
_TWO_FROM: Final = 7
"""From so many sizes on the two largest are held out; with fewer, the largest."""
_EXACT: Final = 1e-9
"""Smaller relative errors are rounding errors."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A size that was held out: predicted by the others, with 95 % bounds, and measured; ms."""

    size: int
    predicted: float
    low: float
    high: float
    measured: float

    @property
    def hit(self) -> bool:
        """Whether the measured time lies within the bounds."""
        return self.low <= self.measured <= self.high

    @property
    def is_wide(self) -> bool:
        """Whether the bounds are so wide that almost any time would lie within them."""
        return self.high > WIDEST * self.low

    @property
    def error(self) -> float:
        """The relative error of the predicted time."""
        error = self.predicted / self.measured - 1
        return error if abs(error) > _EXACT else 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """The models that a series of times is consistent with.

    models       formulas that all sizes do not distinguish, the simplest first; empty where even
                 the best fit is poor
    chosen       the one of them that leave-one-out cross-validation selects
    lengths      number of lengths with times
    worst        the largest relative error of the best fit
    predictions  of the sizes held out, from the other sizes
    """

    models: tuple[str, ...]
    chosen: str
    lengths: int
    worst: float
    predictions: tuple[Prediction, ...]

    @property
    def ruled_out(self) -> tuple[str, ...]:
        """Single terms that the times exclude."""
        return tuple(term for term in TERMS if term not in self.models)

    @property
    def is_conclusive(self) -> bool:
        """Whether more than one single term is excluded; otherwise almost every model fits."""
        return len(self.ruled_out) > 1

    @property
    def verdict(self) -> Literal["hit", "miss", "too wide"]:
        """Whether every size held out lies within its bounds, and the bounds are narrow enough."""
        if not all(each.hit for each in self.predictions):
            return "miss"
        return "too wide" if any(each.is_wide for each in self.predictions) else "hit"


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """Why there is no model.

    cause   few_lengths, implausible_time, constant_time or close_lengths
    values  the number of lengths; the time in ms; none; the first and the last length fitted
    """

    cause: Literal["few_lengths", "implausible_time", "constant_time", "close_lengths"]
    values: tuple[float, ...] = ()


def model(sizes: Sequence[int], times: Sequence[float]) -> Model | Unmodelled:
    """The model of times over sizes: one time for each, the smallest size first.

    Raises ValueError for unequal counts and for sizes that are not increasing.
    """
    if len(sizes) != len(times):
        raise ValueError(
            f"{len(times)} times for {len(sizes)} sizes; expected one time for each size"
        )
    if any(later <= earlier for earlier, later in pairwise(sizes)):
        raise ValueError(f"sizes {list(sizes)}; expected increasing sizes")
    out = 2 if len(sizes) >= _TWO_FROM else 1
    if unmodelled := _unfit(times) or _too_close(sizes[:-out]):
        return unmodelled
    lengths, taken = np.array(sizes, dtype=float), np.array(times, dtype=float)
    whole = fits(lengths, taken)
    worst = float(np.abs(whole.residuals[int(whole.squares.argmin())]).max())
    alike = _simplest(_alike(whole))
    near = worst <= LOOSE
    return Model(
        models=tuple(_formula(place) for place in _places(alike)) if near else (),
        chosen=_formula(_chosen(whole, alike)) if near else "",
        lengths=len(sizes),
        worst=worst,
        predictions=tuple(_predictions(sizes, times, out)),
    )


def _unfit(times: Sequence[float]) -> Unmodelled | None:
    """Why no model can be fitted to these times; None when one can."""
    if len(times) < FEWEST:
        return Unmodelled("few_lengths", (len(times),))
    shortest, longest = TIMES_MS
    odd = [each for each in times if not shortest <= each <= longest]
    if odd:
        return Unmodelled("implausible_time", (odd[0],))
    if max(times) / min(times) - 1 < _EXACT:
        return Unmodelled("constant_time")
    return None


def _too_close(fitted: Sequence[int]) -> Unmodelled | None:
    """Sizes too close together to distinguish powers; None where they are not."""
    if fitted[-1] >= LEAST_SPAN * fitted[0]:
        return None
    return Unmodelled("close_lengths", (fitted[0], fitted[-1]))


def _alike(found: Fits) -> Bools:
    """Models that the measured sizes do not distinguish from the best one.

    An F test of two more terms: their squared residuals may be larger by 0.05 ** (-2 / n) for n
    degrees of freedom. On simulated series it keeps the true model in more than 95 % of cases;
    "within one standard error of the best" by leave-one-out keeps it in 89 %.
    """
    count = len(found.table)
    free = max(1, count - most_terms(count))
    squares = found.squares
    least = max(float(squares.min()), count * _EXACT**2)
    alike: Bools = squares <= least * RISK ** (-2 / free)
    return alike


def _simplest(alike: Bools) -> Bools:
    """The models without a simpler one among them."""
    return alike & ~(SIMPLER & alike).any(-1)


def _chosen(found: Fits, among: Bools) -> int:
    """The simplest whose leave-one-out error is within one standard error of the smallest."""
    squares = found.misses**2
    errors = np.where(among, squares.mean(-1), np.inf)
    best = int(errors.argmin())
    margin = squares[best].std(ddof=1) / math.sqrt(squares.shape[1])
    return _places(errors <= errors[best] + margin)[0]


def _predictions(sizes: Sequence[int], times: Sequence[float], out: int) -> Iterable[Prediction]:
    """The last `out` sizes, predicted by the chosen model of the others.

    The bounds are the widest of all models that the others do not distinguish.
    """
    rest = np.array(sizes[:-out], dtype=float)
    found = fits(rest, np.array(times[:-out], dtype=float))
    alike = _alike(found)
    chosen = _chosen(found, _simplest(alike))
    for size, measured in zip(sizes[-out:], times[-out:], strict=True):
        terms = columns(np.array([float(size)]), float(rest.max()))[0]
        bounds = [_bounds(found, place, terms) for place in _places(alike)]
        yield Prediction(
            size=size,
            predicted=float(found.coefficients[chosen] @ terms),
            low=min(low for low, _ in bounds),
            high=max(high for _, high in bounds),
            measured=measured,
        )


def _bounds(found: Fits, place: int, terms: Floats) -> tuple[float, float]:
    """The 95 % prediction bounds of one model: its own error and that of one more time."""
    from scipy.special import stdtrit  # noqa: PLC0415 - pages without a model need no scipy

    free = max(1, len(found.table) - len(MODELS[place]))
    spread = math.sqrt(float((found.residuals[place] ** 2).sum()) / free)
    predicted = float(found.coefficients[place] @ terms)
    sure = found.leverage(place, terms) / predicted**2
    reach = float(stdtrit(free, 1 - RISK / 2)) * max(spread, _EXACT) * math.sqrt(1 + sure)
    return max(0.0, predicted * (1 - reach)), predicted * (1 + reach)


def _places(models: Bools) -> list[int]:
    return [int(place) for place in np.flatnonzero(models)]


def _formula(place: int) -> str:
    return " + ".join(TERMS[term] for term in MODELS[place])
