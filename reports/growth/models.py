"""Which sums of powers a series of times follows, and whether they foretell its largest sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from reports.growth.least import (
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
"""Sizes that a model takes: three to fit to and one to foretell."""
LEAST_SPAN: Final = 1.5
"""Between the first and the last of the sizes that are fitted to.

The median of three sessions with 3 % of noise is off by 2 %. Over three even steps up to 1.5 that
leaves an exponent with an error of 0.07, and at one degree of freedom 95 % take 12.7 of these: with
less between them, not even T and T² are 1 apart for sure.
"""
TIMES_MS: Final = (1e-12, 1e15)
"""What may be a time: from far below a cycle of any clock to 30 thousand years."""
LOOSE: Final = 0.25
"""A sum that is off by more at some size is none that the times follow."""
VAGUE: Final = 4
"""Bounds that lie further apart, twice or half of what is foretold, foretell nothing."""
_TWO_FROM: Final = 7
"""With as many sizes the two largest are held out, with fewer the largest alone."""
_EXACT: Final = 1e-9
"""Relative errors as small are of arithmetic."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One size that was held out: what the others foretell of it, with 95 % bounds, in ms."""

    size: int
    predicted: float
    low: float
    high: float
    measured: float

    @property
    def hit(self) -> bool:
        """Whether the time lies where it was foretold."""
        return self.low <= self.measured <= self.high

    @property
    def is_vague(self) -> bool:
        """Whether almost any time would lie within the bounds."""
        return self.high > VAGUE * self.low

    @property
    def off(self) -> float:
        """How far the time foretold lies from the measured one, relative."""
        off = self.predicted / self.measured - 1
        return off if abs(off) > _EXACT else 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """What a series of times follows.

    models       those that cannot be told apart, in words, the simplest first; by all sizes.
                 None where not even the best comes near
    chosen       the one of them that leave-one-out takes
    lengths      how many there are times of
    worst        how far the best fit is off at most, relative
    predictions  of the sizes held out, by the models of the rest
    """

    models: tuple[str, ...]
    chosen: str
    lengths: int
    worst: float
    predictions: tuple[Prediction, ...]

    @property
    def ruled_out(self) -> tuple[str, ...]:
        """Single terms that the times are told from."""
        return tuple(term for term in TERMS if term not in self.models)

    @property
    def tells(self) -> bool:
        """Whether more than one single term is ruled out: else times follow almost anything."""
        return len(self.ruled_out) > 1

    @property
    def verdict(self) -> Literal["hit", "miss", "too wide"]:
        """Whether every size held out lies where it was foretold, within bounds that tell."""
        if not all(each.hit for each in self.predictions):
            return "miss"
        return "too wide" if any(each.is_vague for each in self.predictions) else "hit"


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """Why there is no model, in words."""

    reason: str


def model(sizes: Sequence[int], times: Sequence[float]) -> Model | Unmodelled:
    """What times follow over sizes: one time for each, sizes from the smallest up.

    Raises ValueError for unequal counts and for sizes that are not in order.
    """
    if len(sizes) != len(times):
        raise ValueError(f"{len(times)} times for {len(sizes)} sizes; expected one for each")
    if any(later <= earlier for earlier, later in pairwise(sizes)):
        raise ValueError(f"sizes {list(sizes)}; expected each once, the smallest first")
    out = 2 if len(sizes) >= _TWO_FROM else 1
    if reason := _unfit(times) or _huddled(sizes[:-out]):
        return Unmodelled(reason)
    lengths, taken = np.array(sizes, dtype=float), np.array(times, dtype=float)
    whole = fits(lengths, taken)
    worst = float(np.abs(whole.residuals[int(whole.squares.argmin())]).max())
    alike = _simplest(_alike(whole))
    near = worst <= LOOSE
    return Model(
        models=tuple(_words(place) for place in _places(alike)) if near else (),
        chosen=_words(_chosen(whole, alike)) if near else "",
        lengths=len(sizes),
        worst=worst,
        predictions=tuple(_foretold(sizes, times, out)),
    )


def _unfit(times: Sequence[float]) -> str:
    """Why nothing can be fitted to such times; empty when it can."""
    if len(times) < FEWEST:
        return f"a model takes {FEWEST} lengths, not {len(times)}"
    shortest, longest = TIMES_MS
    odd = [each for each in times if not shortest <= each <= longest]
    if odd:
        return f"a time of {odd[0]:g} ms is no time: the clock stands still or fails"
    if max(times) / min(times) - 1 < _EXACT:
        return "every length takes the same time: nothing grows"
    return ""


def _huddled(fitted: Sequence[int]) -> str:
    """Why the sizes fitted to cannot tell powers apart; empty when they can."""
    if fitted[-1] >= LEAST_SPAN * fitted[0]:
        return ""
    return (
        f"lengths from {fitted[0]} to {fitted[-1]}, without those held out, lie too close together "
        f"to tell powers apart: less than a factor of {LEAST_SPAN:g}"
    )


def _alike(found: Fits) -> Bools:
    """Models that the measured sizes do not tell from the best one.

    An F test of two more terms: their residuals may be larger by 0.05 ** (-2 / n), where n is what
    the sizes leave free. On simulated series it keeps the true one in more than 95 of 100, which
    "within one standard error of the best" by leave-one-out does in 89.
    """
    count = len(found.table)
    free = max(1, count - most_terms(count))
    squares = found.squares
    least = max(float(squares.min()), count * _EXACT**2)
    alike: Bools = squares <= least * RISK ** (-2 / free)
    return alike


def _simplest(alike: Bools) -> Bools:
    """Those that need all of their terms: no simpler model among them does as well."""
    return alike & ~(SIMPLER & alike).any(-1)


def _chosen(found: Fits, among: Bools) -> int:
    """The simplest whose leave-one-out error is within one standard error of the smallest."""
    squares = found.misses**2
    errors = np.where(among, squares.mean(-1), np.inf)
    best = int(errors.argmin())
    margin = squares[best].std(ddof=1) / math.sqrt(squares.shape[1])
    return _places(errors <= errors[best] + margin)[0]


def _foretold(sizes: Sequence[int], times: Sequence[float], out: int) -> Iterable[Prediction]:
    """Each of the last `out` sizes by the chosen model of the others; bounds by all alike."""
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
    """What one model foretells with 95 % bounds: its own error and that of one more time."""
    from scipy.special import stdtrit  # noqa: PLC0415 - pages without a model need no scipy

    free = max(1, len(found.table) - len(MODELS[place]))
    spread = math.sqrt(float((found.residuals[place] ** 2).sum()) / free)
    predicted = float(found.coefficients[place] @ terms)
    sure = found.leverage(place, terms) / predicted**2
    reach = float(stdtrit(free, 1 - RISK / 2)) * max(spread, _EXACT) * math.sqrt(1 + sure)
    return max(0.0, predicted * (1 - reach)), predicted * (1 + reach)


def _places(models: Bools) -> list[int]:
    return [int(place) for place in np.flatnonzero(models)]


def _words(place: int) -> str:
    return " + ".join(TERMS[term] for term in MODELS[place])
