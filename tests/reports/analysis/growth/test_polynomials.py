"""Bytes are solved: to the byte where a polynomial gives them all, in pieces where several do."""

from __future__ import annotations

from fractions import Fraction

import pytest

from impls.interface import Problem
from reports.analysis.growth.polynomials import Polynomial, exact, pieces
from reports.views.coefficients import explained

SIZES = (128, 256, 512, 1024, 2048, 4096)


def polynomial(*coefficients: Fraction | int) -> Polynomial:
    """Of T to the power 0, 1, ..."""
    filled = (*coefficients, 0, 0, 0, 0)[:4]
    return Polynomial(tuple(Fraction(each) for each in filled))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (polynomial(4, 1028, 36), "36 T² + 1028 T + 4"),
        (polynomial(0, 260), "260 T"),
        (polynomial(7), "7"),
        (polynomial(), "0"),
        (polynomial(0, Fraction(1, 2), Fraction(1, 2)), "1/2 T² + 1/2 T"),
        (polynomial(-5, 1, -1, 2), "2 T³ - T² + T - 5"),
    ],
)
def test_the_polynomial_of_exact_bytes_is_found_and_read(made: Polynomial, text: str) -> None:
    found = exact(SIZES, [int(made.at(size)) for size in SIZES])
    assert found == made
    assert str(found) == text


def test_one_byte_off_is_no_polynomial() -> None:
    values = [36 * size**2 + 1028 * size + 4 for size in SIZES]
    for place in range(len(SIZES)):
        off = [value + (i == place) for i, value in enumerate(values)]
        assert exact(SIZES, off) is None


def test_three_sizes_predict_the_fourth() -> None:
    found = exact(SIZES[:4], [36 * size**2 + 1028 * size + 4 for size in SIZES[:4]])
    assert found is not None
    assert found.at(4096) == 36 * 4096**2 + 1028 * 4096 + 4


def test_a_polynomial_that_only_passes_through_is_none() -> None:
    assert exact(SIZES[:2], [5, 9]) is None
    assert exact(SIZES[:3], [5, 9, 100]) is None
    assert exact(SIZES[:1], [5]) is None


def test_lengths_need_not_double() -> None:
    sizes = (7, 33, 64, 129, 1000)
    assert exact(sizes, [3 * size**2 - size for size in sizes]) == polynomial(0, -1, 3)


def test_a_step_divides_the_lengths() -> None:
    below, above = polynomial(0, 0, 8), polynomial(1183752, 260)
    made = [*(below.at(s) for s in SIZES[:3]), *(above.at(s) for s in SIZES[3:])]
    found = pieces(SIZES, [int(each) for each in made])
    assert [(each.first, each.last) for each in found] == [(128, 512), (1024, 4096)]
    assert [each.polynomial for each in found] == [below, above]


def test_lengths_without_a_polynomial_are_marked() -> None:
    found = pieces(SIZES, [5, 9, *(260 * size + 11 for size in SIZES[2:])])
    assert [(each.first, each.last) for each in found] == [(128, 256), (512, 4096)]
    assert [each.polynomial for each in found] == [None, polynomial(11, 260)]
    (alone,) = pieces(SIZES, [5, 900, 31, 77, 1, 4000])
    assert (alone.first, alone.last, alone.polynomial) == (128, 4096, None)


@pytest.mark.parametrize(
    ("made", "problem", "text"),
    [
        (
            polynomial(4, 1028, 36),
            "b1 h4 t512 d64",
            (
                "36 T² = 2.25 score matrices of 4 heads in float32; 1028 T = 1 tensor of the size "
                "of q and 4 bytes for each position; 4 bytes at any length"
            ),
        ),
        (
            polynomial(0, 2 * 1040, 2 * 16),
            "b2 h4 t512 d64",
            (
                "32 T² = 1 score matrix of 4 heads and batch 2 in float32; 2080 T = 1 tensor of "
                "the size of q and 1 number for each row of each head"
            ),
        ),
        (
            polynomial(1, 0, 33),
            "b1 h4 t512 d64",
            (
                "33 T² = 2 score matrices of 4 heads in float32 and 1 byte for each pair of "
                "positions; 1 byte at any length"
            ),
        ),
        (
            polynomial(0, 3 * 2 * 64 * 2),
            "b1 h8/2 t1/512 d64 bf16",
            "768 T = 3 tensors of the size of k",
        ),
        (
            polynomial(Fraction(5, 3), Fraction(249343, 16), Fraction(1, 2)),
            "b1 h4 t512 d64",
            (
                "1/2 T² = 0.5 bytes for each pair of positions; 249343/16 T = 15 tensors of the "
                "size of q and 223.9 bytes for each position; 1.667 bytes at any length"
            ),
        ),
        (
            polynomial(Fraction(123456789, 2)),
            "b1 h4 t512 d64",
            "61728394.5 bytes at any length",
        ),
        (
            polynomial(0, -3, -1, 2),
            "b1 h4 t512 d64",
            (
                "2 T³ bytes; -1 T² = -1 bytes for each pair of positions; "
                "-3 T = -3 bytes for each position"
            ),
        ),
    ],
)
def test_coefficients_are_explained(made: Polynomial, problem: str, text: str) -> None:
    assert explained(made, Problem.parse(problem)) == text
