"""Measure the ceilings of a device: read and copy bandwidth, and the rate of matrix products.

No rate is looked up by the name of a device. On a GPU calls are queued behind a spin and timed by
events, because a read of cached data is shorter than its launch. That path ran on
an NVIDIA H200 on 2026-11-29 (docs/gpu.md). Its sum of cached data takes 3 to 12 us there, which
its start and end lengthen: it read 2.6 TB/s from the cache, and 4.1 TB/s from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, isqrt
from typing import Any, Final, get_args

from suites.measure import cache
from suites.measure.instruments import instrument_for
from suites.measure.timing import Call, Clock, HotSampler, Sampler
from suites.stats.ceilings import Ceiling, Kind, Residency

BUDGET_MS: Final = 40.0
"""Time for one rate, ms. One call may take longer, up to `LONGEST_MS`."""
_LONGEST_SHARE: Final = 10
"""Products that would take more than this multiple of the budget are left out."""
LONGEST_MS: Final = 250.0
"""Products with a forecast beyond this many ms are left out: smaller ones gave the rate."""
SAMPLE_MS: Final = 1.0
"""Least length of a sample, ms. Shorter calls share a sample, so that no idle GPU is timed."""
_ASSUMED_BYTES: Final = 32 << 20
"""Size of the last-level cache when the system does not report it."""
_LEAST_POOL: Final = 64 << 20
"""All tensors lie in one block above 32 MiB. glibc adapts its mmap threshold to smaller blocks that
are freed, which would change the page faults of the implementations measured later."""
_ENOUGH_POOL: Final = 256 << 20
"""Above this size, twice the last-level cache is enough for memory bandwidth. With a reported cache
of 480 MiB, 2 and 4 times its size read at 24.4 and 25.3 GB/s and copied at 25.9 and 25.7 GB/s."""
_GPU_POOL_TIMES: Final = 8
"""The same on a GPU. Its replacement policy is unknown: a part of the data of one pass may still be
in the cache at the next."""
_DRAWN: Final = 1 << 18
"""Standard-normal numbers that fill the block, repeated. A constant or a ramp switches fewer
transistors, so that a GPU at its power limit would multiply it faster than real inputs."""
_FEWEST: Final = 5
_PATIENCE: Final = 4
"""Least repeats, unless they exceed this many budgets. On a shared machine one repeat was seen to
take 200 times its usual time."""
_GPU_ROWS: Final = 8192
"""Rows of a product on a GPU: 4,096 output tiles of 128 x 128 keep all multiprocessors busy."""
_SMALLEST: Final = 256
"""Fewest rows of a matrix product; smaller products measure call overhead."""
_ALSO_THROUGH_FLOAT32: Final = ("float16", "bfloat16")
"""Dtypes whose products are also measured with conversion to float32 and back."""


def measure(
    device: str,
    dtypes: Iterable[str],
    *,
    clock: Clock | None = None,
    budget_ms: float = BUDGET_MS,
    last_level_bytes: int | None = None,
) -> tuple[Ceiling, ...]:
    """The ceilings of a device: read and copy bandwidth, and matrix products of these dtypes.

    clock             of the device; made here when None
    budget_ms         time for one ceiling
    last_level_bytes  size of the last-level cache; None reads it from the device

    Each ceiling is the best of the repeats that fit in the budget, with the threads and precision
    settings of the process. On two quiet cores one dtype takes 0.5 s, each further one 0.2 s.
    Raises ValueError for a device without a clock.
    """
    import torch  # noqa: PLC0415 - reports read constants without torch

    last_level = last_level_bytes or _last_level_bytes(device, torch)
    sampler = HotSampler(clock) if clock else _sampler(device)
    bench = _Bench(torch, _pool(device, last_level, torch), sampler, budget_ms)
    products = (each for dtype in dtypes for each in _matmuls(bench, dtype, last_level))
    return (*_bandwidths(bench, last_level), *products)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The sampler, the budget and the memory of one measurement.

    torch  the module, passed so that this file imports without it
    pool   bytes on the device that hold all tensors
    """

    torch: Any
    pool: Any
    sampler: Sampler
    budget_ms: float

    @property
    def device(self) -> str:
        """The kind of device that holds the pool."""
        return str(self.pool.device.type)

    def best_ms(self, call: Call, budget_ms: float) -> float:
        """Milliseconds of the fastest of the calls that fit in the budget, with their spins."""
        best_ms = spent_ms = self.sampler.take((call,), 1)
        calls = ceil(SAMPLE_MS / max(best_ms, 1e-3))
        repeats = 1
        while spent_ms < budget_ms or (repeats < _FEWEST and spent_ms < _PATIENCE * budget_ms):
            took_ms = self.sampler.take((call,), calls)
            best_ms = min(best_ms, took_ms)
            spent_ms += took_ms * calls + self.sampler.aside_ms(calls)
            repeats += 1
        return best_ms


def _bandwidths(bench: _Bench, last_level: int) -> Iterator[Ceiling]:
    """Bandwidth of a sum, torch's fastest reduction, and of a copy."""
    whole = bench.pool.view(bench.torch.float32)
    sizes: dict[Residency, Sequence[int]] = {
        # The cache is shared; less is call overhead.
        "cache": (last_level // 8, last_level // 4, *_larger(bench, last_level // 2)),
        "memory": (bench.pool.nbytes,),
    }
    kinds: tuple[tuple[Kind, Callable[[Any], Call]], ...] = (("read", _sum), ("copy", _copy))
    for kind, call_on in kinds:
        for residency, each in sizes.items():
            rates = [
                1e3 * part.nbytes / bench.best_ms(call_on(part), bench.budget_ms / len(each))
                for part in (whole[: nbytes // 8 * 2] for nbytes in each)
            ]
            yield Ceiling(kind=kind, residency=residency, value=max(rates), device=bench.device)


def _sum(values: Any) -> Call:
    return values.sum


def _copy(values: Any) -> Call:
    """A copy of the first half to the second: bytes read and written add up to the whole."""
    source, target = values.chunk(2)
    return partial(target.copy_, source)


def _matmuls(bench: _Bench, dtype: str, last_level: int) -> Iterator[Ceiling]:
    """Rates of square matrix products, each by the fastest method of torch.

    Half precision is also measured with conversion to float32 and back. On a CPU without
    half-precision instructions this was 90 times faster, and fast implementations do it.
    """
    item_bytes = getattr(bench.torch, dtype).itemsize
    in_cache = max(_SMALLEST, _rows(last_level // 8, item_bytes))
    in_memory = max(_SMALLEST, _rows(last_level * 5 // 4, item_bytes))
    sizes: list[tuple[int, Residency]] = [
        (_SMALLEST, "cache"),
        (in_cache, "cache"),
        (in_memory, "memory"),
        (in_memory * 3 // 2, "memory"),  # on a fast device
    ]
    sizes += [(rows, "memory") for rows in _larger(bench, _GPU_ROWS)]
    conversions = (False, True) if dtype in _ALSO_THROUGH_FLOAT32 else (False,)
    rates = [rate for widen in conversions for rate in _rates(bench, dtype, sizes, widen=widen)]
    for residency in get_args(Residency):
        if found := [rate for where, rate in rates if where == residency]:
            yield Ceiling(
                kind="matmul",
                dtype=dtype,
                residency=residency,
                value=max(found),
                device=bench.device,
            )


def _rates(
    bench: _Bench, dtype: str, sizes: Iterable[tuple[int, Residency]], *, widen: bool
) -> Iterator[tuple[Residency, float]]:
    """FLOP/s of every size that fits in the pool and is short enough by the best rate so far."""
    best = 0.0
    for rows, residency in sizes:
        flop = 2 * rows**3
        if best and 1e3 * flop / best > min(LONGEST_MS, _LONGEST_SHARE * bench.budget_ms):
            continue
        if product := _product(bench, dtype, rows, widen=widen):
            rate = 1e3 * flop / bench.best_ms(product, bench.budget_ms / 2)
            best = max(best, rate)
            yield residency, rate


def _rows(nbytes: int, item_bytes: int) -> int:
    """Rows of square matrices, three of which take this many bytes; a multiple of 64."""
    return ceil(isqrt(nbytes // (3 * item_bytes)) / 64) * 64


def _product(bench: _Bench, dtype: str, rows: int, *, widen: bool) -> Call | None:
    """One product in the pool, through float32 when `widen`; None when the pool is too small."""
    torch = bench.torch
    types = [getattr(torch, dtype)] * 3 + [torch.float32] * 3 * widen
    if sum(each.itemsize for each in types) * rows**2 > bench.pool.nbytes:
        return None
    left, right, product, *wide = _squares(bench.pool, rows, types)
    left.normal_(generator=_generator(torch, bench.device))
    right.copy_(left.T)
    if not wide:
        return partial(torch.mm, left, right, out=product)

    def through_float32() -> Any:
        torch.mm(wide[0].copy_(left), wide[1].copy_(right), out=wide[2])
        return product.copy_(wide[2])

    return through_float32


def _squares(pool: Any, rows: int, types: Iterable[Any]) -> Iterator[Any]:
    """Square matrices of these dtypes, contiguous in the pool."""
    end = 0
    for each in types:
        start, end = end, end + rows**2 * each.itemsize
        yield pool[start:end].view(each).view(rows, rows)


def _pool(device: str, last_level: int, torch: Any) -> Any:
    """One block of random numbers, as bytes, several times as large as the last-level cache."""
    sizes = {
        "cpu": lambda: max(2 * last_level, min(cache.flushed_bytes(last_level), _ENOUGH_POOL)),
        "cuda": lambda: _GPU_POOL_TIMES * last_level,
    }
    count = ceil(max(instrument_for(device, sizes)(), _LEAST_POOL) / (4 * _DRAWN))
    drawn = torch.randn(_DRAWN, generator=_generator(torch, device), device=device)
    return drawn.repeat(count).view(torch.uint8)


def _generator(torch: Any, device: str) -> Any:
    """Random numbers of its own: the random state of the process stays unchanged."""
    return torch.Generator(device=device).manual_seed(0)


def _sampler(device: str) -> Sampler:
    """The sampler of a device. Raises ValueError for one without a clock."""
    from suites.measure import devices  # noqa: PLC0415 - reports read constants without torch

    return devices.device(device, cold=False).sampler()


def _larger(bench: _Bench, size: int) -> tuple[int, ...]:
    """A larger size, which a GPU needs to be busy; none on a CPU."""
    return (size,) if bench.device == "cuda" else ()


def _last_level_bytes(device: str, torch: Any) -> int:
    sizes = {
        "cpu": lambda: cache.last_level_bytes() or _ASSUMED_BYTES,
        "cuda": lambda: cache.l2_bytes(torch.cuda),
    }
    return instrument_for(device, sizes)()
