"""What the coefficients of a polynomial of bytes stand for, in words."""

from __future__ import annotations

from fractions import Fraction

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from reports import words
from reports.growth.polynomials import Polynomial

_FINEST = 8
"""Parts of a score matrix: a mask of one byte beside float64 scores is an eighth of them."""


def explained(polynomial: Polynomial, problem: Problem) -> str:
    """Each coefficient as tensors of the problem's own sizes, what does not come out as bytes.

    The problem gives everything but the length.
    """
    constant, line, square, cube = polynomial.coefficients
    parts = (
        cube and f"{cube} T³ bytes",
        square and f"{square} T² = {_square(square, problem)}",
        line and f"{line} T = {_line(line, problem)}",
        constant and f"{_bytes(constant)} at any length",
    )
    return "; ".join(part for part in parts if part)


def _square(coefficient: Fraction, problem: Problem) -> str:
    """Numbers for each pair of positions: score matrices."""
    unit = problem.batch * problem.query_heads * DTYPE_BYTES[problem.dtype]
    matrices = coefficient / unit
    rest = coefficient % unit if _FINEST % matrices.denominator else Fraction()
    matrices -= rest / unit
    if matrices < 0:
        return f"{_bytes(coefficient)} for each pair of positions"
    noun = "score matrix" if matrices == 1 else "score matrices"
    whose = words.counted(problem.query_heads, "head")
    batch = "" if problem.batch == 1 else f" and batch {problem.batch}"
    parts = (
        matrices and f"{float(matrices):g} {noun} of {whose}{batch} in {problem.dtype}",
        rest and f"{_bytes(rest)} for each pair of positions",
    )
    return " and ".join(part for part in parts if part)


def _line(coefficient: Fraction, problem: Problem) -> str:
    """Numbers for each position: tensors as large as q, or as k where only the keys grow."""
    even = problem.query_length == problem.key_length
    heads = problem.query_heads if even else problem.key_heads
    number = problem.batch * heads * DTYPE_BYTES[problem.dtype]
    tensors, rest = divmod(coefficient, number * problem.head_dim)
    if tensors < 0:
        return f"{_bytes(coefficient)} for each position"
    like = words.counted(int(tensors), "tensor") + f" of the size of {'q' if even else 'k'}"
    parts = (tensors and like, rest and _rest(rest, number))
    return " and ".join(part for part in parts if part)


def _rest(rest: Fraction, number: int) -> str:
    """What is less than a tensor: numbers for each row of each head, else bytes."""
    if rest % number:
        return f"{_bytes(rest)} for each position"
    return words.counted(int(rest / number), "number") + " for each row of each head"


def _bytes(count: Fraction) -> str:
    """To a tenth of a byte or four digits: to the byte it stands in the polynomial itself."""
    if count.denominator == 1:
        return words.counted(int(count), "byte")
    return f"{float(count):.1f} bytes" if abs(count) >= 1000 else f"{float(count):.4g} bytes"
