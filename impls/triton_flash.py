"""Exact attention in Triton, forward and backward, for NVIDIA devices (arXiv 2307.08691).

A program keeps a block of M rows on the chip and walks over the columns that they see, N at a time.
Forward, rows are queries and columns are keys: online softmax, with scores in units of log 2; the
logarithm of the sum is saved. Backward, weights are recomputed from it, once with rows of queries
(dq), once with rows of keys (dk, dv). There one program adds up all query heads of its key head, so
that no additions are atomic and gradients have the same bits in every call.

Row r sees columns r - before to r + after, for every mask and in both directions. Hidden columns
are skipped, and only blocks at the edges are masked. Kernels take strides: nothing is copied.
Products are of the inputs' dtype, with float32 sums; those of float32 are not rounded to TF32.

It never ran on a GPU. Results are tested with Triton's interpreter; tiles are chosen by what
compiles for compute capability 8.0 and 9.0 with few spilled registers.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,possibly-undefined,name-defined"
# ruff: noqa: ANN001, ANN202, ARG001, PLR0913, PLR0917 - arguments of kernels are Triton's
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from impls.interface import Library, Limits, Problem, implementation

DTYPES = ("float16", "bfloat16", "float32")
BLOCKS = (32, 64, 128)
UNLIMITED = 1 << 30


@implementation(
    Limits(devices=("cuda",), dtypes=DTYPES, head_dims=range(1, 129), cuda_capability=(8, 0)),
    choices={"block_m": BLOCKS, "block_n": BLOCKS, "warps": (4, 8), "stages": (1, 2, 3, 4)},
    library=Library(distribution="triton", module="triton"),
    slow_start=True,
    ran_on="",
)
def triton_flash(
    problem: Problem, *, block_m: int = 0, block_n: int = 0, warps: int = 0, stages: int = 0
) -> Callable[..., Tensor]:
    """FlashAttention of this program: a Triton kernel forward, and two backward.

    block_m  rows that a program keeps: queries, or keys for dk and dv; 0: by the kernel
    block_n  columns of a step
    warps    of a program, 32 threads each
    stages   steps whose columns are on the chip or on their way
    """
    chosen, kernels = (block_m, block_n, warps, stages), _kernels()
    launches = []
    for usual, kernel, turn in zip(_usual_tiles(problem), kernels, (1, 1, -1), strict=True):
        tile = [own or other for own, other in zip(chosen, usual, strict=True)]
        launches.append(_launcher(kernel, problem, tile, turn))
    return lambda q, k, v: _TritonFlash.apply(q, k, v, launches)


def _usual_tiles(problem: Problem) -> tuple[tuple[int, int, int, int], ...]:
    """block_m, block_n, warps and stages: for the output, for dq, and for dk with dv."""
    if problem.dtype == "float32":
        return ((32, 32, 8, 1),) * 3
    if problem.head_dim <= 64:
        return (128, 64, 8, 3), (128, 64, 8, 2), (128, 32, 8, 2)
    return (128, 64, 8, 2), (128, 32, 8, 2), (64, 32, 8, 2)


def _launcher(kernel: Any, problem: Problem, tile: list[int], turn: int) -> Callable[..., None]:
    """A function that starts a kernel, with a program for each block of rows of each head.

    turn  1: rows are queries and columns are keys; -1: the other way
    """
    mask, lengths = problem.mask, (problem.query_length, problem.key_length)
    before = UNLIMITED if mask.left is None else mask.left - 1 - lengths[1] + lengths[0]
    after = UNLIMITED if mask.right is None else mask.right + lengths[1] - lengths[0]
    sizes = (*lengths[::turn], *(before, after)[::turn])
    ranges = _ranges(*sizes, *tile[:2]).to(problem.device)
    heads, dim = (problem.query_heads, problem.key_heads), problem.head_dim
    numbers = (ranges, len(ranges), heads[0] // heads[1], *sizes, problem.softmax_scale)
    padded = max(16, 1 << (dim - 1).bit_length())  # tl.dot takes powers of two from 16
    constants = {"D": dim, "P": padded, "M": tile[0], "N": tile[1], "TURN": turn}
    options = {"num_warps": tile[2], "num_stages": tile[3]}

    def launch(tensors: tuple[Tensor, ...], *sums: Tensor) -> None:
        programs = len(tensors[0]) * heads[::turn][0] * len(ranges)
        strided = tuple((x, x.shape[1], *x.stride()) for x in tensors)
        kernel[programs,](strided, sums, numbers, **constants, **options)

    return launch


def _ranges(rows: int, columns: int, before: int, after: int, block: int, step: int) -> Tensor:
    """Where each block of rows begins, and its range of columns; longest ranges first.

    int32, [blocks, 5]: first row; then first column, first and end of those that all rows see, and
    end. All but the last are multiples of `step`.
    """
    found = []
    for first in range(0, rows, block):
        last = min(first + block, rows) - 1
        start = max(first - before, 0) // step * step
        inner = -(-max(last - before, 0) // step) * step
        outer = min(first + after + 1, columns) // step * step
        stop = max(min(last + after + 1, columns), start)
        found.append((first, start, *((inner, outer) if inner < outer else (start, start)), stop))
    return torch.tensor(sorted(found, key=lambda each: each[1] - each[4]), dtype=torch.int32)


class _TritonFlash(torch.autograd.Function):
    """The autograd function. q [B, Hq, Tq, D]; k and v [B, Hk, Tk, D]."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, launches: Any) -> Tensor:
        out = torch.empty_like(q)
        log_sums = torch.empty(q.shape[:3], dtype=torch.float32, device=q.device)
        launches[0]((q, k, v, out), log_sums)
        ctx.save_for_backward(q, k, v, out, log_sums)
        ctx.launches = launches
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, log_sums = ctx.saved_tensors
        dq, dk, dv = (torch.empty_like(x) for x in (q, k, v))
        shifts = torch.empty_like(log_sums)
        ctx.launches[1]((q, k, dout, v, dq, out), log_sums, shifts)
        ctx.launches[2]((k, q, v, dout, dk, dv), log_sums, shifts)
        return dq, dk, dv, None


@lru_cache(maxsize=1)
def _kernels() -> tuple[Any, Any, Any]:
    """The kernels of the output, of dq, and of dk with dv. Triton compiles them when called."""
    global tl, constexpr, blocks  # noqa: PLW0603 - Triton looks their names up in this module
    import triton  # noqa: PLC0415 - importing it takes 0.4 s

    from impls.interface import triton_blocks as blocks  # noqa: PLC0415 - likewise

    tl, constexpr = triton.language, triton.language.constexpr
    gradients = triton.jit(_triton_flash_gradients)
    return triton.jit(_triton_flash_out), gradients, gradients


def _triton_flash_out(
    tensors, sums, numbers, D: constexpr, P: constexpr, M: constexpr, N: constexpr, TURN: constexpr
):
    """The output of a block of queries, and the logarithms of their sums."""
    q, k, v, out = tensors
    ranges, count, group, rows, columns, before, after, scale = numbers
    head, first, ends = blocks.ranges_of_program(ranges, count)
    own, step, log_scale = tl.arange(0, M), tl.arange(0, N), scale * 1.4426950408889634
    q_tile = blocks.load(q, head, first, own, rows, D, P)
    top = tl.full((M,), -3.4e38, tl.float32)  # finite, so that hidden keys weigh exp2(-inf) = 0
    total = tl.zeros((M,), tl.float32)
    summed = tl.zeros((M, P), tl.float32)
    for part in tl.static_range(3):  # all rows see the columns of the middle one
        for start in range(ends[part], ends[part + 1], N):
            k_tile = blocks.load(k, head // group, start, step, columns, D, P)
            scores = tl.dot(q_tile, tl.trans(k_tile), input_precision="ieee")
            if part != 1:
                scores = blocks.band(scores, first + own, start + step, before, after, columns)
            new_top = tl.maximum(top, tl.max(scores, 1) * log_scale)
            weights = tl.exp2(scores * log_scale - new_top[:, None])
            shrink = tl.exp2(top - new_top)
            total = total * shrink + tl.sum(weights, 1)
            v_tile = blocks.load(v, head // group, start, step, columns, D, P)
            weights = weights.to(v_tile.dtype)
            summed = tl.dot(weights, v_tile, summed * shrink[:, None], input_precision="ieee")
            top = new_top
    keyless = total == 0.0
    total = tl.where(keyless, 1.0, total)
    blocks.store(out, summed / total[:, None], head, first, own, rows, D, P)
    log_sum = tl.where(keyless, float("inf"), top + tl.log2(total))
    blocks.store_sums(sums[0], log_sum, head, first, own, rows)


def _triton_flash_gradients(
    tensors, sums, numbers, D: constexpr, P: constexpr, M: constexpr, N: constexpr, TURN: constexpr
):
    """Gradients: dq of a block of queries (TURN 1), or dk and dv of a block of keys (TURN -1).

    x and y are q and dout where rows or columns are queries, and k and v where they are keys.
    """
    x, other_x, y, other_y, dx, last = tensors
    ranges, count, group, rows, columns, before, after, scale = numbers
    head, first, ends = blocks.ranges_of_program(ranges, count)
    own, step, log_scale = tl.arange(0, M), tl.arange(0, N), scale * 1.4426950408889634
    x_tile = blocks.load(x, head, first, own, rows, D, P)
    y_tile = blocks.load(y, head, first, own, rows, D, P)
    dx_sum = tl.zeros((M, P), tl.float32)
    dy_sum = tl.zeros((M, P), tl.float32)
    if TURN == 1:
        out_tile = blocks.load(last, head, first, own, rows, D, P).to(tl.float32)
        shift = tl.sum(y_tile.to(tl.float32) * out_tile, 1)
        blocks.store_sums(sums[1], shift, head, first, own, rows)
        log_sum, shift = blocks.load_sums(sums[0], head, first, own, rows)[:, None], shift[:, None]
    for member in range(1 if TURN == 1 else group):
        other = head // group if TURN == 1 else head * group + member
        for part in tl.static_range(3):
            for start in range(ends[part], ends[part + 1], N):
                a = blocks.load(other_x, other, start, step, columns, D, P)
                b = blocks.load(other_y, other, start, step, columns, D, P)
                if TURN == -1:
                    log_sum = blocks.load_sums(sums[0], other, start, step, columns)[None, :]
                    shift = blocks.load_sums(sums[1], other, start, step, columns)[None, :]
                scores = tl.dot(x_tile, tl.trans(a), input_precision="ieee")
                if part != 1:
                    scores = blocks.band(scores, first + own, start + step, before, after, columns)
                weights = tl.exp2(scores * log_scale - log_sum)
                if TURN == -1:
                    dy_sum = tl.dot(weights.to(b.dtype), b, dy_sum, input_precision="ieee")
                dweights = tl.dot(y_tile, tl.trans(b), input_precision="ieee")
                dscores = (weights * (dweights - shift)).to(a.dtype)
                dx_sum = tl.dot(dscores, a, dx_sum, input_precision="ieee")
    blocks.store(dx, dx_sum * scale, head, first, own, rows, D, P)
    if TURN == -1:
        blocks.store(last, dy_sum, head, first, own, rows, D, P)
