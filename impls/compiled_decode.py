"""A few queries over many keys on a CPU: a C++ kernel that reads every key and value once.

The rows of all queries that share a key head are multiplied with four keys while these are in the
first-level cache. The next keys are prefetched line by line between the multiplications, so that
memory and arithmetic work at the same time. Keys are divided into parts, so that every thread has
some (split-KV of Flash-Decoding); torch merges their sums by the maxima of their scores
(arXiv 2307.08691, 2311.01282).

g++ compiles the kernel for this processor once a process, in about 2 s. Its vectors are GCC's own
(`vector_size`), not intrinsics. It is made for up to 16 queries; other ways are faster with many.
docs/kernels.md has the measurements.
"""

from __future__ import annotations

import subprocess
import sys
from ctypes import CDLL, c_int64, c_void_p
from functools import lru_cache
from math import log
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Final

import torch
from torch import Tensor

from impls.interface import AttentionFunction, Limits, Problem, implementation
from impls.interface.limits import EVERY_MASK

COMPILER: Final = "g++"
FLAGS: Final = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
KEYS: Final = 64
"""Keys of a block: scores of a block, and the exponential of them, are computed together."""
MOST_QUERIES: Final = 128
"""Queries that it takes, a step of chunked prefill: with 4096 a call takes seconds."""
PARTS_PER_THREAD: Final = 4
"""Parts of the work for each thread, where there is more than one: threads wait for the last."""


def _lacking() -> str:
    """Why the kernel cannot be compiled here; "" when it can."""
    if sys.platform != "linux":
        return f"its kernel is compiled on Linux only, not on {sys.platform}"
    return "" if which(COMPILER) else f"{COMPILER} is not installed: it compiles the kernel"


@implementation(
    Limits(
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),
        masks=EVERY_MASK,
        most_queries=MOST_QUERIES,
        own_value_dim=True,
        backward=False,
        unavailable=_lacking(),
    ),
    slow_start=True,
)
def compiled_decode(problem: Problem) -> AttentionFunction:
    """Attention for decoding by a compiled C++ kernel, forward only; computed in float32.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype
    """
    kernel = getattr(_library(), problem.dtype)
    seen, factor = _seen(problem), problem.softmax_scale / log(2)

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (x if x.stride(3) == 1 else x.contiguous() for x in (k, v))
        batch, heads, keys, dim = k.shape
        rows, width = seen.shape[1], v.shape[3]
        parts = _parts(batch * heads, keys)
        queries = (q.float() * factor).reshape(batch, heads, rows, dim).contiguous()
        padded = -(-width // 8) * 8
        sizes = (batch, heads, rows, keys, dim, width, padded, parts, torch.get_num_threads())
        strides = (*k.stride()[:3], *v.stride()[:3])
        sums = torch.empty((batch, heads, parts, rows, padded))
        tops, totals = torch.empty((2, batch, heads, parts, rows, 1))
        pointers = [x.data_ptr() for x in (queries, k, v, seen, sums, tops, totals)]
        kernel((c_int64 * 15)(*sizes, *strides), (c_void_p * 7)(*pointers))
        out = _merged(sums[..., :width], tops, totals)
        return out.to(q.dtype).reshape(*q.shape[:3], width)

    return attention


def _seen(problem: Problem) -> Tensor:
    """The first key that each row sees and the one after the last, int32 [B, G * Tq, 2]."""
    keys = problem.key_length
    mask = problem.mask.resolved(problem.batch, keys)
    positions = range(keys - problem.query_length, keys)
    found = [[mask.interval(b, q, keys) for q in positions] for b in range(problem.batch)]
    group = problem.query_heads // problem.key_heads
    return torch.tensor(found, dtype=torch.int32).repeat(1, group, 1)


def _parts(heads: int, keys: int) -> int:
    """The parts of each head's keys."""
    threads = torch.get_num_threads()
    wanted = 1 if threads == 1 else -(-PARTS_PER_THREAD * threads // heads)
    return min(wanted, -(-keys // KEYS))


def _merged(sums: Tensor, tops: Tensor, totals: Tensor) -> Tensor:
    """The output of all parts, [B, Hk, R, Dv]; zeros for rows without keys.

    sums    of weights times values, [B, Hk, parts, R, Dv]
    tops    maxima of scores in units of log 2, [B, Hk, parts, R, 1]
    totals  of weights, the same shape
    """
    if sums.shape[2] > 1:
        factors = (tops - tops.amax(2, keepdim=True)).exp2_()
        sums, totals = ((x * factors).sum(2, keepdim=True) for x in (sums, totals))
    return sums.div(totals.masked_fill(totals == 0, 1.0)).squeeze(2)


@lru_cache(maxsize=1)
def _library() -> CDLL:
    """The compiled kernels, one for each dtype of k and v."""
    with TemporaryDirectory(prefix="attnbench-decode-") as folder:
        source, library = Path(folder, "decode.cpp"), Path(folder, "decode.so")
        source.write_text(SOURCE)
        command = [COMPILER, *FLAGS, f"-DKEYS=INT64_C({KEYS})", str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - words of this file
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            raise RuntimeError(f"{COMPILER} does not compile the kernel: {' '.join(lines[:1])}")
        return CDLL(str(library))


SOURCE: Final = r"""
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define UNROLLED _Pragma("GCC unroll 4")
#define STEP template <int R, int K, int P, class T> __attribute__((noinline)) static void
typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));
const int64_t AHEAD = 8;  // keys from those that are read to those that are prefetched
struct Sizes {
    int64_t batch, heads, rows, keys, dim, width, padded, parts, threads;
    int64_t k_batch, k_head, k_key, v_batch, v_head, v_key;  // strides in elements
};
struct Tensors {
    const float* q;
    const void *k, *v;
    const int32_t* seen;  // the first key of each row, and the one after the last
    float *out, *tops, *totals;
};

static Floats load(const float* x) { Floats y; std::memcpy(&y, x, 32); return y; }
static Floats load(const uint16_t* x) {  // bfloat16 has the upper bits of a float
    uint16_t __attribute__((vector_size(16))) y;
    std::memcpy(&y, x, 16);
    return (Floats)(__builtin_convertvector(y, Ints) << 16);
}
static float one(float x) { return x; }
static float one(uint16_t x) { return ((Floats)(Ints{} + (int32_t(x) << 16)))[0]; }

// 2^x for x <= 0: 2^round(x) by its bits, times a polynomial. Zero below 2^-126; NaN stays NaN.
static Floats exp2_of(Floats x) {
    x = x < -127.0f ? Floats{} - 127.0f : x;
    Floats whole = x + 12582912.0f;  // 1.5 * 2^23: the integer is in the lower bits
    Floats rest = x - (whole - 12582912.0f), y = rest * 1.535336188e-4f + 1.339887440e-3f;
    y = y * rest + 9.618437357e-3f;
    y = y * rest + 5.550332471e-2f;
    y = y * rest + 2.402264791e-1f;
    y = y * rest + 6.931472029e-1f;
    return (y * rest + 1.0f) * (Floats)(((Ints)whole << 23) + (127 << 23));
}

// Sums of four vectors in the first four elements.
static Floats folded(Floats x, Floats y) {
    const Ints even = {0, 8, 1, 9, 4, 12, 5, 13}, odd = {2, 10, 3, 11, 6, 14, 7, 15};
    return __builtin_shuffle(x, y, even) + __builtin_shuffle(x, y, odd);
}
static Floats summed(const Floats (&x)[4]) {
    const Ints low = {0, 1, 8, 9, 4, 5, 12, 13}, high = {2, 3, 10, 11, 6, 7, 14, 15};
    Floats a = folded(x[0], x[1]), b = folded(x[2], x[3]);
    a = __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
    return a + __builtin_shuffle(a, Ints{4, 5, 6, 7, 0, 1, 2, 3});
}

// The next P lines of 64 bytes of later keys. `row` begins one, `at` is the place in it.
template <int P, class T>
static void prefetch(const T*& row, int64_t& at, int64_t length, int64_t stride) {
    UNROLLED for (int i = 0; i < P; i++) {
        __builtin_prefetch(row + at);
        at += 64 / sizeof(T);
        if (at >= length) at = 0, row += stride;
    }
}

// Scores of R rows and K keys, which is 4 or 1.
struct Multiply { STEP step(const float* q, const T* k, int64_t stride, int64_t dim, float* scores,
                            int64_t row, const T* next) {
    Floats sums[R][4] = {};
    int64_t d = 0, at = 0;
    for (; d + 8 <= dim; d += 8) {
        prefetch<P>(next, at, dim, stride);
        UNROLLED for (int j = 0; j < K; j++) {
            Floats key = load(k + j * stride + d);
            UNROLLED for (int i = 0; i < R; i++) sums[i][j] += load(q + i * dim + d) * key;
        }
    }
    UNROLLED for (int i = 0; i < R; i++) {
        Floats x = summed(sums[i]);
        std::memcpy(scores + i * row, &x, 4 * K);
    }
    for (; d < dim; d++)
        for (int i = 0; i < R; i++)
            for (int j = 0; j < K; j++)
                scores[i * row + j] += q[i * dim + d] * one(k[j * stride + d]);
}};

// Adds K values with the weights of R rows to their sums.
struct Add { STEP step(const float* weights, const T* v, int64_t stride, int64_t width, float* out,
                       int64_t row, const T* next) {
    Floats factors[R][K];
    UNROLLED for (int i = 0; i < R; i++)
        UNROLLED for (int j = 0; j < K; j++) factors[i][j] = Floats{} + weights[i * KEYS + j];
    int64_t d = 0, at = 0;
    for (; d + 8 <= width; d += 8) {
        Floats sums[R];
        prefetch<P>(next, at, width, stride);
        UNROLLED for (int i = 0; i < R; i++) sums[i] = *(Floats*)(out + i * row + d);
        UNROLLED for (int j = 0; j < K; j++) {
            Floats value = load(v + j * stride + d);
            UNROLLED for (int i = 0; i < R; i++) sums[i] += factors[i][j] * value;
        }
        UNROLLED for (int i = 0; i < R; i++) *(Floats*)(out + i * row + d) = sums[i];
    }
    for (; d < width; d++)
        for (int i = 0; i < R; i++)
            for (int j = 0; j < K; j++)
                out[i * row + d] += weights[i * KEYS + j] * one(v[j * stride + d]);
}};

// A step for all rows, two by two, and all keys, four by four. The first four rows prefetch.
template <class S, class T> void steps(
    int64_t rows, int64_t keys, const float* x, int64_t x_row, int64_t x_key, const T* cache,
    int64_t stride, int64_t length, float* y, int64_t y_row, int64_t y_key) {
    for (int64_t j = 0, four = 4; j < keys; j += four) {
        if (j + 4 > keys) four = 1;
        const T *now = cache + j * stride, *next = now + AHEAD * stride;
        for (int64_t r = 0, pair = 2; r < rows; r += pair) {
            pair = four == 4 ? std::min<int64_t>(rows - r, 2) : 1;
            auto step = four == 1 ? S::template step<1, 1, 0, T>
                : pair == 1 ? S::template step<1, 4, 2, T>
                : rows == 2 ? S::template step<2, 4, 2, T>
                : r < 4 ? S::template step<2, 4, 1, T> : S::template step<2, 4, 0, T>;
            const float* from = x + r * x_row + j * x_key;
            step(from, now, stride, length, y + r * y_row + j * y_key, y_row, next + r * stride);
        }
    }
}

// Weights instead of scores of one row, which sees keys [start, end) of the block.
static void weigh(float* scores, int64_t start, int64_t end, float& top, float& total, float* out,
                  int64_t padded) {
    std::fill(scores, scores + start, -INFINITY);
    std::fill(scores + end, scores + KEYS, -INFINITY);
    Floats most = load(scores), sums[4] = {};
    for (int64_t j = 8; j < KEYS; j += 8) {
        Floats x = load(scores + j);
        most = x > most ? x : most;
    }
    float highest = top;
    for (int i = 0; i < 8; i++) highest = most[i] > highest ? most[i] : highest;
    for (int64_t j = 0; j < KEYS; j += 8) {
        Floats x = exp2_of(load(scores + j) - highest);
        std::memcpy(scores + j, &x, 32);
        sums[0] += x;
    }
    if (highest != top) {
        float shrink = exp2_of(Floats{} + top - highest)[0];
        for (int64_t d = 0; d < padded; d++) out[d] *= shrink;
        total *= shrink;
        top = highest;
    }
    total += summed(sums)[0];
}

// Sums, maxima and totals of the rows of one key head over the keys [first, end).
template <class T>
void part(const Sizes& n, const Tensors& x, const T* k, const T* v, int64_t first, int64_t end) {
    float* scores = (float*)aligned_alloc(64, n.rows * KEYS * sizeof(float));
    std::fill(x.out, x.out + n.rows * n.padded, 0.0f);
    std::fill(x.tops, x.tops + n.rows, -FLT_MAX);
    std::fill(x.totals, x.totals + n.rows, 0.0f);
    int64_t least = end, most = first;
    for (int64_t r = 0; r < n.rows; r++) {
        if (x.seen[2 * r] < x.seen[2 * r + 1]) least = std::min<int64_t>(least, x.seen[2 * r]);
        most = std::max<int64_t>(most, x.seen[2 * r + 1]);
    }
    end = std::min(end, most);
    for (first = std::max(first, least); first < end; first += KEYS) {
        int64_t keys = std::min(KEYS, end - first), stride = n.k_key;
        const T *now = k + first * stride, *values = v + first * n.v_key;
        steps<Multiply>(n.rows, keys, x.q, n.dim, 0, now, stride, n.dim, scores, KEYS, 1);
        for (int64_t r = 0; r < n.rows; r++) {
            int64_t start = std::clamp<int64_t>(x.seen[2 * r] - first, 0, keys);
            int64_t stop = std::clamp<int64_t>(x.seen[2 * r + 1] - first, start, keys);
            float* out = x.out + r * n.padded;
            weigh(scores + r * KEYS, start, stop, x.tops[r], x.totals[r], out, n.padded);
        }
        steps<Add>(n.rows, keys, scores, KEYS, 1, values, n.v_key, n.width, x.out, n.padded, 0);
    }
    free(scores);
}

template <class T> void decode(const Sizes& n, const Tensors& all) {
    int64_t length = ((n.keys + n.parts - 1) / n.parts + KEYS - 1) / KEYS * KEYS;
#pragma omp parallel for schedule(dynamic) num_threads(n.threads)
    for (int64_t i = 0; i < n.batch * n.heads * n.parts; i++) {
        int64_t head = i / n.parts, b = head / n.heads, h = head % n.heads, at = i * n.rows;
        int64_t first = i % n.parts * length, end = std::min(first + length, n.keys);
        Tensors x = {all.q + head * n.rows * n.dim, all.k, all.v, all.seen + 2 * b * n.rows,
                     all.out + at * n.padded, all.tops + at, all.totals + at};
        part(n, x, (const T*)x.k + b * n.k_batch + h * n.k_head,
             (const T*)x.v + b * n.v_batch + h * n.v_head, first, end);
    }
}
extern "C" void float32(const Sizes* n, const Tensors* x) { decode<float>(*n, *x); }
extern "C" void bfloat16(const Sizes* n, const Tensors* x) { decode<uint16_t>(*n, *x); }
"""
"""The kernels. Rows are the query rows of a key head, all queries of a head after each other."""
