"""Polynomials of bytes over the length: bytes are exact, so coefficients are solved, not fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from operator import mul
from typing import Final

MOST_DEGREE: Final = 3
FEWEST: Final = 3
"""The fewest lengths that a polynomial is solved from."""
_POWERS: Final = sorted(
    (each for n in range(1, MOST_DEGREE + 2) for each in combinations(range(MOST_DEGREE + 1), n)),
    key=lambda powers: (len(powers), powers[::-1]),
)
"""The powers of T that a polynomial may have; the fewest first, then the lowest."""
_NAMES: Final = ("", "T", "T²", "T³")


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Bytes at length T; `coefficients` of T to the power 0, 1, 2 and 3."""

    coefficients: tuple[Fraction, ...]

    def at(self, length: int) -> Fraction:
        """Bytes at a length."""
        return sum((c * length**p for p, c in enumerate(self.coefficients)), Fraction())

    @property
    def falls(self) -> bool:
        """Whether it is negative at some length: its highest coefficient is negative."""
        return next((each < 0 for each in self.coefficients[::-1] if each), False)

    def __str__(self) -> str:
        """The highest power first: 36 T² + 1028 T + 4."""
        terms = [_term(p, c) for p, c in enumerate(self.coefficients) if c][::-1]
        return " + ".join(terms).replace("+ -", "- ") or "0"


@dataclass(frozen=True, slots=True)
class Piece:
    """Lengths from `first` to `last`, and the polynomial of their bytes; None: none fits.

    count  number of lengths
    """

    first: int
    last: int
    count: int
    polynomial: Polynomial | None

    @property
    def is_unchecked(self) -> bool:
        """Whether it has a polynomial from three lengths only, which no fourth has confirmed.

        A fourth may refute it: 8192 T + 3145728 held at 128, 256 and 512 and not at 1024.
        """
        return self.polynomial is not None and self.count == FEWEST


def exact(sizes: Sequence[int], values: Sequence[int]) -> Polynomial | None:
    """The polynomial of the fewest coefficients that gives every value to the byte.

    It is solved from as many sizes as it has coefficients, and must predict at least one more. None
    where no polynomial of degree 3 or less does.
    """
    for powers in _POWERS:
        count = len(powers)
        if count >= len(sizes):
            return None
        if sum(map(mul, _vanishing(powers, tuple(sizes[: count + 1])), values)):
            continue
        found = through(powers, sizes, values)
        if all(found.at(size) == value for size, value in zip(sizes, values, strict=True)):
            return found
    return None


def pieces(sizes: Sequence[int], values: Sequence[int]) -> tuple[Piece, ...]:
    """Polynomials of neighbouring lengths, the shortest lengths first.

    They are found from the longest lengths down: each polynomial covers all lengths for which it is
    exact. The search ends when none fits the longest remaining lengths.
    """
    found: list[Piece] = []
    end = len(sizes)
    while end:
        start, polynomial = _longest(sizes[:end], values[:end])
        found.insert(0, Piece(sizes[start], sizes[end - 1], end - start, polynomial))
        end = start
    return tuple(found)


def _longest(sizes: Sequence[int], values: Sequence[int]) -> tuple[int, Polynomial | None]:
    """The first position from which one polynomial holds up to the last size.

    Position 0 with None where no polynomial holds. For each number of coefficients the fewest sizes
    are tried: a polynomial that does not hold for them does not hold for more.
    """
    best: tuple[int, Polynomial | None] = (0, None)
    for taken in range(FEWEST, min(len(sizes), MOST_DEGREE + 2) + 1):
        polynomial = exact(sizes[-taken:], values[-taken:])
        if polynomial is None:
            continue
        start = len(sizes) - taken
        while start and polynomial.at(sizes[start - 1]) == values[start - 1]:
            start -= 1
        if best[1] is None or start < best[0]:
            best = (start, polynomial)
    return best


@lru_cache(maxsize=1024)
def _vanishing(powers: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Weights of one value more than there are powers; the weighted sum is 0 if a polynomial fits.

    Series share their lengths, so a few of these serve thousands of series.
    """
    below, rows = _inverse(powers, sizes[:-1])
    grown = [sizes[-1] ** power for power in powers]
    own = zip(*rows, strict=True)
    return (*(sum(map(mul, column, grown)) for column in own), -below)


def through(powers: tuple[int, ...], sizes: Sequence[int], values: Sequence[int]) -> Polynomial:
    """The polynomial of these powers of T through the first values, as many as there are powers."""
    below, rows = _inverse(powers, tuple(sizes[: len(powers)]))
    own = {
        p: Fraction(sum(map(mul, row, values)), below) for p, row in zip(powers, rows, strict=True)
    }
    return Polynomial(tuple(own.get(power, Fraction()) for power in range(MOST_DEGREE + 1)))


@lru_cache(maxsize=1024)
def _inverse(powers: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, list[list[int]]]:
    """The inverse of the Vandermonde matrix, as a denominator and rows of integers.

    By elimination: no pivot is 0, because lengths are positive and distinct.
    """
    count = len(sizes)
    rows = [
        [*(Fraction(size**power) for power in powers), *(Fraction(i == j) for j in range(count))]
        for i, size in enumerate(sizes)
    ]
    for place in range(count):
        pivot = [each / rows[place][place] for each in rows[place]]
        rows = [
            pivot if i == place else [a - row[place] * b for a, b in zip(row, pivot, strict=True)]
            for i, row in enumerate(rows)
        ]
    inverse = [row[count:] for row in rows]
    below = math.lcm(*(each.denominator for row in inverse for each in row))
    return below, [[int(each * below) for each in row] for row in inverse]


def _term(power: int, coefficient: Fraction) -> str:
    """1028 T, 3/2 T², T, -T², 4."""
    if not power:
        return f"{coefficient}"
    alone = {1: "", -1: "-"}.get(int(coefficient)) if coefficient.denominator == 1 else None
    return f"{coefficient} {_NAMES[power]}" if alone is None else f"{alone}{_NAMES[power]}"
