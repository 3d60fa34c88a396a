"""Blocks of rows of [B, H, T, D] for kernels in Triton, which call these functions.

x       a tensor as a tuple: its pointer, H, and its four strides, so that every layout is read
head    the number of a head among all B * H
first   the first row of a block
rows    rows of the block, counted from `first`
length  T; rows from T on are read as zeros, and not written
D, P    the head dimension, and the power of two that it is padded to

Importing this module imports Triton, which takes 0.4 s.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917 - arguments of kernels are Triton's

import triton
import triton.language as tl


@triton.jit
def ranges_of_program(table, count):
    """The head of this program, its first row, and the ends of its three ranges of columns.

    table  int32, [count, 5]: a first row and four ends for each block of rows of a head
    """
    at = table + 5 * (tl.program_id(0) % count)
    ends = (tl.load(at + 1), tl.load(at + 2), tl.load(at + 3), tl.load(at + 4))
    return tl.program_id(0) // count, tl.load(at), ends


@triton.jit
def load(x, head, first, rows, length, D: tl.constexpr, P: tl.constexpr):
    """The rows of a block, [rows, P]."""
    pointers, inside = _pointers(x, head, first, rows, length, D, P)
    return tl.load(pointers, mask=inside, other=0.0)


@triton.jit
def store(x, tile, head, first, rows, length, D: tl.constexpr, P: tl.constexpr):
    """Write a tile [rows, P] to a block, in the dtype of x."""
    pointers, inside = _pointers(x, head, first, rows, length, D, P)
    tl.store(pointers, tile.to(x[0].dtype.element_ty), mask=inside)


@triton.jit
def load_sums(sums, head, first, rows, length):
    """One number for each row of a block, [rows], of a contiguous [B, H, T]."""
    at = sums + head.to(tl.int64) * length + first + rows
    return tl.load(at, mask=first + rows < length, other=0.0)


@triton.jit
def store_sums(sums, values, head, first, rows, length):
    """Write one number for each row of a block to a contiguous [B, H, T]."""
    at = sums + head.to(tl.int64) * length + first + rows
    tl.store(at, values, mask=first + rows < length)


@triton.jit
def band(scores, row, column, before, after, columns):
    """Scores of columns r - before to r + after for row r, and -inf for all others."""
    distance = column[None, :] - row[:, None]
    seen = (distance >= -before) & (distance <= after) & (column < columns)[None, :]
    return tl.where(seen, scores, float("-inf"))


@triton.jit
def _pointers(x, head, first, rows, length, D: tl.constexpr, P: tl.constexpr):
    """Pointers to the numbers of a block, [rows, P], and which of them are inside of x."""
    dims = tl.arange(0, P)
    start = (head // x[1]).to(tl.int64) * x[2] + (head % x[1]).to(tl.int64) * x[3]
    start += (tl.full((), 0, tl.int64) + first) * x[4]
    inside = (first + rows < length)[:, None] & (dims < D)[None, :]
    return x[0] + start + (rows[:, None] * x[4] + dims[None, :] * x[5]), inside
