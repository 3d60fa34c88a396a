"""Bytes are exact, so that their growth is solved: the polynomial that gives every one of them."""

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
"""Lengths that a polynomial is found from."""
_POWERS: Final = sorted(
    (each for n in range(1, MOST_DEGREE + 2) for each in combinations(range(MOST_DEGREE + 1), n)),
    key=lambda powers: (len(powers), powers[::-1]),
)
"""The powers of T that a polynomial may have: the fewest first, then the lowest."""
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
        """Whether it comes below 0 at some length."""
        return next((each < 0 for each in self.coefficients[::-1] if each), False)

    def __str__(self) -> str:
        """The highest power first: 36 T² + 1028 T + 4."""
        terms = [_term(p, c) for p, c in enumerate(self.coefficients) if c][::-1]
        return " + ".join(terms).replace("+ -", "- ") or "0"


@dataclass(frozen=True, slots=True)
class Piece:
    """Lengths from `first` to `last`, and the polynomial of their bytes; None: they follow none.

    count  how many lengths
    """

    first: int
    last: int
    count: int
    polynomial: Polynomial | None

    @property
    def is_unchecked(self) -> bool:
        """Whether it has a polynomial of three lengths, which no fourth has checked.

        The next one may refute it: 8192 T + 3145728 held at 128, 256 and 512 and not at 1024.
        """
        return self.polynomial is not None and self.count == FEWEST


def exact(sizes: Sequence[int], values: Sequence[int]) -> Polynomial | None:
    """The polynomial of the fewest coefficients that gives every value to the byte.

    It is solved from as many sizes as it has coefficients and has to foretell at least one more;
    None where no such polynomial of degree 3 or less does.
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

    The longest lengths come first: theirs reaches as far down as it is exact. So on with the rest,
    until no polynomial holds for the three longest that are left, or for a few more.
    """
    found: list[Piece] = []
    end = len(sizes)
    while end:
        start, polynomial = _longest(sizes[:end], values[:end])
        found.insert(0, Piece(sizes[start], sizes[end - 1], end - start, polynomial))
        end = start
    return tuple(found)


def _longest(sizes: Sequence[int], values: Sequence[int]) -> tuple[int, Polynomial | None]:
    """From which size on one polynomial holds up to the last; from the first on none does.

    As few sizes as each number of coefficients takes come first: where no polynomial holds for
    them, none holds for more.
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
    """Weights of one value more than there are powers: the sum is 0 where a polynomial fits all.

    Lines share their lengths, so that thousands of them are tried with a few of these.
    """
    below, rows = _inverse(powers, sizes[:-1])
    grown = [sizes[-1] ** power for power in powers]
    own = zip(*rows, strict=True)
    return (*(sum(map(mul, column, grown)) for column in own), -below)


def through(powers: tuple[int, ...], sizes: Sequence[int], values: Sequence[int]) -> Polynomial:
    """The polynomial of these powers of T through as many values, the first of them."""
    below, rows = _inverse(powers, tuple(sizes[: len(powers)]))
    own = {
        p: Fraction(sum(map(mul, row, values)), below) for p, row in zip(powers, rows, strict=True)
    }
    return Polynomial(tuple(own.get(power, Fraction()) for power in range(MOST_DEGREE + 1)))


@lru_cache(maxsize=1024)
def _inverse(powers: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, list[list[int]]]:
    """What makes coefficients of as many values: a denominator, and a row of integers for each.

    By elimination: no pivot is 0, as lengths are positive and none comes twice.
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
