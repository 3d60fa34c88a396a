"""Coefficients of a polynomial of bytes as tensors: score matrices, tensors like q, bytes."""

from __future__ import annotations

from fractions import Fraction

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from reports.analysis.growth.polynomials import Polynomial
from reports.views.text import counted

_FINEST = 8
"""Finest fraction of a score matrix: a mask of one byte is an eighth of float64 scores."""


def explained(polynomial: Polynomial, problem: Problem) -> str:
    """Each coefficient as tensors of the problem's sizes, and the remainder as bytes.

    problem  gives every size but the length
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
    """Bytes for each pair of positions, as score matrices."""
    unit = problem.batch * problem.query_heads * DTYPE_BYTES[problem.dtype]
    matrices = coefficient / unit
    rest = coefficient % unit if _FINEST % matrices.denominator else Fraction()
    matrices -= rest / unit
    if matrices < 0:
        return f"{_bytes(coefficient)} for each pair of positions"
    noun = "score matrix" if matrices == 1 else "score matrices"
    whose = counted(problem.query_heads, "head")
    batch = "" if problem.batch == 1 else f" and batch {problem.batch}"
    parts = (
        matrices and f"{float(matrices):g} {noun} of {whose}{batch} in {problem.dtype}",
        rest and f"{_bytes(rest)} for each pair of positions",
    )
    return " and ".join(part for part in parts if part)


def _line(coefficient: Fraction, problem: Problem) -> str:
    """Bytes for each position, as tensors like q, or like k where only the keys grow."""
    even = problem.query_length == problem.key_length
    heads = problem.query_heads if even else problem.key_heads
    number = problem.batch * heads * DTYPE_BYTES[problem.dtype]
    tensors, rest = divmod(coefficient, number * problem.head_dim)
    if tensors < 0:
        return f"{_bytes(coefficient)} for each position"
    like = counted(int(tensors), "tensor") + f" of the size of {'q' if even else 'k'}"
    parts = (tensors and like, rest and _rest(rest, number))
    return " and ".join(part for part in parts if part)


def _rest(rest: Fraction, number: int) -> str:
    """Less than a tensor: numbers for each row of each head, or bytes."""
    if rest % number:
        return f"{_bytes(rest)} for each position"
    return counted(int(rest / number), "number") + " for each row of each head"


def _bytes(count: Fraction) -> str:
    """To a tenth of a byte or four digits; the polynomial itself is exact."""
    if count.denominator == 1:
        return counted(int(count), "byte")
    return f"{float(count):.1f} bytes" if abs(count) >= 1000 else f"{float(count):.4g} bytes"
