"""A few queries over many keys on a CPU: a C++ kernel that reads every key and value once.

The rows of all queries that share a key head are multiplied with four keys while these are in the
first-level cache. The next keys are prefetched line by line between the multiplications, so that
memory and arithmetic work at the same time. Keys are divided into parts, so that every thread has
some (split-KV of Flash-Decoding); torch merges their sums by the maxima of their scores
(arXiv 2307.08691, 2311.01282).

g++ compiles the kernel for this processor once a process, in about 2 s. Its vectors are GCC's own
(`vector_size`), not intrinsics. Any number of queries is right; it is made for up to 16.
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
FLAGS: Final = ("-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-shared", "-fPIC")
KEYS: Final = 64
"""Keys of a block: scores of a block, and the exponential of them, are computed together."""
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
        sizes = (batch, heads, rows, keys, dim, width, parts, torch.get_num_threads())
        numbers = (c_int64 * 14)(*sizes, *k.stride()[:3], *v.stride()[:3])
        padded = -(-width // 8) * 8
        sums = torch.empty((batch, heads, parts, rows, padded))
        tops, totals = torch.empty((2, batch, heads, parts, rows, 1))
        pointers = (x.data_ptr() for x in (queries, k, v, seen, sums, tops, totals))
        kernel(numbers, *map(c_void_p, pointers))
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
        command = [COMPILER, *FLAGS, str(source), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
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
typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));
const int64_t KEYS = 64;      // of a block
const int64_t AHEAD = 4096;   // bytes that are prefetched before they are read
struct Sizes {
    int64_t batch, heads, rows, keys, dim, width, parts, threads;
    int64_t k_batch, k_head, k_key, v_batch, v_head, v_key;  // strides in elements
};

static Floats load(const float* x) { Floats y; std::memcpy(&y, x, 32); return y; }
static float one(float x) { return x; }
static Floats load(const uint16_t* x) {  // bfloat16 has the upper bits of a float
    uint16_t __attribute__((vector_size(16))) y;
    std::memcpy(&y, x, 16);
    return (Floats)(__builtin_convertvector(y, Ints) << 16);
}
static float one(uint16_t x) { uint32_t y = uint32_t(x) << 16; float z; std::memcpy(&z, &y, 4); return z; }

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

// Sums of four vectors in the first four elements, in two steps; halves of 128 bits stay apart.
static Floats folded(Floats x, Floats y) {
    const Ints even = {0, 8, 1, 9, 4, 12, 5, 13}, odd = {2, 10, 3, 11, 6, 14, 7, 15};
    return __builtin_shuffle(x, y, even) + __builtin_shuffle(x, y, odd);
}
static Floats summed(Floats a, Floats b, Floats c, Floats d) {
    const Ints low = {0, 1, 8, 9, 4, 5, 12, 13}, high = {2, 3, 10, 11, 6, 7, 14, 15};
    Floats x = folded(a, b), y = folded(c, d);
    x = __builtin_shuffle(x, y, low) + __builtin_shuffle(x, y, high);
    return x + __builtin_shuffle(x, Ints{4, 5, 6, 7, 0, 1, 2, 3});
}

// Scores of R rows and K keys (4 or 1). P lines from `next` are prefetched for each vector.
template <int R, int K, int P, class T> __attribute__((noinline)) void multiply(
    const float* q, const T* k, int64_t step, int64_t dim, float* scores, const char* next, int line) {
    Floats sums[R][4] = {};
    int64_t d = 0;
    for (; d + 8 <= dim; d += 8) {
        UNROLLED for (int i = 0; i < P; i++, next += line) __builtin_prefetch(next);
        UNROLLED for (int j = 0; j < K; j++) {
            Floats key = load(k + j * step + d);
            UNROLLED for (int i = 0; i < R; i++) sums[i][j] += load(q + i * dim + d) * key;
        }
    }
    UNROLLED for (int i = 0; i < R; i++) {
        Floats x = summed(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        std::memcpy(scores + i * KEYS, &x, 4 * K);
    }
    for (; d < dim; d++)
        for (int i = 0; i < R; i++)
            for (int j = 0; j < K; j++) scores[i * KEYS + j] += q[i * dim + d] * one(k[j * step + d]);
}

// Adds K values with the weights of R rows to their sums, whose rows have `padded` elements.
template <int R, int K, int P, class T> __attribute__((noinline)) void add(
    const float* weights, const T* v, int64_t step, int64_t width, float* out, const char* next, int line) {
    Floats factors[R][K];
    UNROLLED for (int i = 0; i < R; i++)
        UNROLLED for (int j = 0; j < K; j++) factors[i][j] = Floats{} + weights[i * KEYS + j];
    int64_t d = 0, padded = (width + 7) / 8 * 8;
    for (; d + 8 <= width; d += 8) {
        Floats sums[R];
        UNROLLED for (int i = 0; i < P; i++, next += line) __builtin_prefetch(next);
        UNROLLED for (int i = 0; i < R; i++) sums[i] = *(Floats*)(out + i * padded + d);
        UNROLLED for (int j = 0; j < K; j++) {
            Floats value = load(v + j * step + d);
            UNROLLED for (int i = 0; i < R; i++) sums[i] += factors[i][j] * value;
        }
        UNROLLED for (int i = 0; i < R; i++) *(Floats*)(out + i * padded + d) = sums[i];
    }
    for (; d < width; d++)
        for (int i = 0; i < R; i++)
            for (int j = 0; j < K; j++)
                out[i * padded + d] += weights[i * KEYS + j] * one(v[j * step + d]);
}

// `add` or `multiply` for all rows, two by two. The first four rows prefetch four later keys.
template <bool ADD, int R, int K, int P, class T> constexpr auto step = ADD ? add<R, K, P, T> : multiply<R, K, P, T>;
template <bool ADD, class T> void rows_by_keys(
    const Sizes& n, int64_t first, int64_t end, const float* x, const T* cache, float* y) {
    const int LINES = sizeof(T) / 2;  // of four keys, for each vector of one
    int64_t keys = ADD ? n.v_key : n.k_key, dim = ADD ? n.width : n.dim, key = first;
    int64_t x_row = ADD ? KEYS : dim, y_row = ADD ? (dim + 7) / 8 * 8 : KEYS;
    int line = keys == dim ? 64 : 0;  // keys apart from each other: the processor's own prefetch
    for (; key + 4 <= end; key += 4) {
        const T* four = cache + key * keys;
        const char* next = (const char*)four + (line ? AHEAD : 0);
        const float* from = ADD ? x + key - first : x;
        float* to = ADD ? y : y + key - first;
        if (n.rows <= 2) {
            (n.rows == 1 ? step<ADD, 1, 4, LINES, T> : step<ADD, 2, 4, LINES, T>)(from, four, keys, dim, to, next, line);
            continue;
        }
        for (int64_t r = 0; r < n.rows; r += 2)
            (r + 1 == n.rows ? step<ADD, 1, 4, 1, T> : r < 2 * LINES ? step<ADD, 2, 4, 1, T> : step<ADD, 2, 4, 0, T>)(
                from + r * x_row, four, keys, dim, to + r * y_row, next + r * dim * 4, line);
    }
    for (; key < end; key++)
        for (int64_t r = 0; r < n.rows; r++)
            step<ADD, 1, 1, 0, T>((ADD ? x + key - first : x) + r * x_row, cache + key * keys, keys, dim,
                                  (ADD ? y : y + key - first) + r * y_row, nullptr, 0);
}

// Weights instead of scores of one row, of which keys [start, end) are seen. Sums are rescaled.
static void weigh(float* scores, int64_t start, int64_t end, float& top, float& total, float* out, int64_t padded) {
    std::fill(scores, scores + start, -INFINITY);
    std::fill(scores + end, scores + KEYS, -INFINITY);
    Floats most = load(scores), sums = {};
    for (int64_t j = 8; j < KEYS; j += 8) { Floats x = load(scores + j); most = x > most ? x : most; }
    float highest = top;
    for (int i = 0; i < 8; i++) highest = most[i] > highest ? most[i] : highest;
    for (int64_t j = 0; j < KEYS; j += 8) {
        Floats x = exp2_of(load(scores + j) - highest);
        std::memcpy(scores + j, &x, 32);
        sums += x;
    }
    if (highest != top) {
        float shrink = exp2_of(Floats{} + top - highest)[0];
        for (int64_t d = 0; d < padded; d++) out[d] *= shrink;
        total *= shrink;
        top = highest;
    }
    total += summed(sums, sums, sums, sums)[0];
}

template <class T> void part(const Sizes& n, const float* q, const T* k, const T* v, const int32_t* seen,
                             int64_t first, int64_t end, float* out, float* tops, float* totals) {
    int64_t padded = (n.width + 7) / 8 * 8, least = end, most = first;
    std::fill(out, out + n.rows * padded, 0.0f);
    std::fill(tops, tops + n.rows, -FLT_MAX);
    std::fill(totals, totals + n.rows, 0.0f);
    for (int64_t r = 0; r < n.rows; r++) {
        if (seen[2 * r] < seen[2 * r + 1]) least = std::min<int64_t>(least, seen[2 * r]);
        most = std::max<int64_t>(most, seen[2 * r + 1]);
    }
    float* scores = (float*)aligned_alloc(64, n.rows * KEYS * sizeof(float));
    for (first = std::max(first, least), end = std::min(end, most); first < end; first += KEYS) {
        int64_t last = std::min(first + KEYS, end);
        rows_by_keys<false>(n, first, last, q, k, scores);
        for (int64_t r = 0; r < n.rows; r++) {
            int64_t start = std::clamp<int64_t>(seen[2 * r] - first, 0, last - first);
            int64_t stop = std::clamp<int64_t>(seen[2 * r + 1] - first, start, last - first);
            weigh(scores + r * KEYS, start, stop, tops[r], totals[r], out + r * padded, padded);
        }
        rows_by_keys<true>(n, first, last, scores, v, out);
    }
    free(scores);
}

template <class T> void decode(const Sizes& n, const float* q, const T* k, const T* v, const int32_t* seen,
                               float* out, float* tops, float* totals) {
    int64_t length = ((n.keys + n.parts - 1) / n.parts + KEYS - 1) / KEYS * KEYS;
    int64_t padded = (n.width + 7) / 8 * 8;
#pragma omp parallel for schedule(dynamic) num_threads(n.threads)
    for (int64_t i = 0; i < n.batch * n.heads * n.parts; i++) {
        int64_t head = i / n.parts, b = head / n.heads, h = head % n.heads, first = i % n.parts * length;
        part(n, q + head * n.rows * n.dim, k + b * n.k_batch + h * n.k_head, v + b * n.v_batch + h * n.v_head,
             seen + b * n.rows * 2, first, std::min(first + length, n.keys), out + i * n.rows * padded,
             tops + i * n.rows, totals + i * n.rows);
    }
}
extern "C" void float32(const Sizes* n, const float* q, const float* k, const float* v, const int32_t* seen,
                        float* out, float* tops, float* totals) { decode(*n, q, k, v, seen, out, tops, totals); }
extern "C" void bfloat16(const Sizes* n, const float* q, const uint16_t* k, const uint16_t* v, const int32_t* seen,
                         float* out, float* tops, float* totals) { decode(*n, q, k, v, seen, out, tops, totals); }
"""
