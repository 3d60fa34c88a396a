"""Measure the ceilings of a device: read and copy bandwidth, and matrix-product rate.

Nothing is looked up by the name of a device. All of it works with a GPU's clock too, but it never
ran on a GPU; what its cache holds is read there in less time than a launch takes, so that rate will
be the launches'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, isqrt
from typing import Any, Final, get_args

from suites.measure import cache
from suites.measure.timing import Call, Clock, clock_for
from suites.stats.ceilings import Ceiling, Kind, Residency

BUDGET_MS: Final = 40.0
"""What finding one rate may take; a single call may take longer, up to `LONGEST_MS`."""
_LONGEST_SHARE: Final = 10
"""A small budget leaves out products that would take so many times as long."""
LONGEST_MS: Final = 250.0
"""Products that are forecast to take longer are left out: smaller ones have told the rate."""
SAMPLE_MS: Final = 1.0
"""Calls shorter than this are timed several at once, so that a GPU is not timed idle."""
_ASSUMED_BYTES: Final = 32 << 20
"""Taken for the last-level cache's size where the system does not tell it."""
_LEAST_POOL: Final = 64 << 20
"""Everything lies in one block of more than 32 MiB: from what it sees freed of smaller ones glibc
learns to keep more, and would treat the implementations that come later otherwise."""
_ENOUGH_POOL: Final = 256 << 20
"""Beyond this, twice the last-level cache will do for what lies in memory. Where 480 MiB of cache
are told of, reading 2 and 4 times as much went at 24.4 and 25.3 GB/s, copying at 25.9 and 25.7."""
_FEWEST: Final = 5
_PATIENCE: Final = 4
"""At least so many repeats, unless they take so many budgets: on a machine with a busy neighbour a
single one was seen to take two hundred times as long as it should."""
_SMALLEST: Final = 256
_BY_WAY_OF_FLOAT32: Final = ("float16", "bfloat16")


def measure(
    device: str,
    dtypes: Iterable[str],
    *,
    clock: Clock | None = None,
    budget_ms: float = BUDGET_MS,
    last_level_bytes: int | None = None,
) -> tuple[Ceiling, ...]:
    """The ceilings of a device: reading, copying, and multiplying matrices of these dtypes.

    budget_ms         what finding one of them may take
    last_level_bytes  size of the last-level cache; None: the device is asked

    Each is the best of as many repeats as the budget pays for, taken with the threads and the
    precision that the process has. On two quiet cores one dtype takes half a second, each further
    one 0.2 s.
    """
    import torch  # noqa: PLC0415 - pages work with ceilings without torch

    last_level = last_level_bytes or _last_level_bytes(device, torch)
    pool_bytes = max(
        2 * last_level, min(cache.flushed_bytes(last_level), _ENOUGH_POOL), _LEAST_POOL
    )
    pool = torch.ones(pool_bytes // 8 * 2, dtype=torch.float32, device=device)
    bench = _Bench(torch, pool.view(torch.uint8), clock or clock_for(device), budget_ms)
    products = (each for dtype in dtypes for each in _matmuls(bench, dtype, last_level))
    return (*_bandwidths(bench, last_level), *products)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where calls are timed.

    torch  the library, handed on so that this file is read without it
    pool   bytes on the device, in which all tensors lie
    """

    torch: Any
    pool: Any
    clock: Clock
    budget_ms: float

    @property
    def device(self) -> str:
        """The kind of device that the pool lies on."""
        return str(self.pool.device.type)

    def best_ms(self, call: Call, budget_ms: float) -> float:
        """The quickest of the calls that the budget pays for, and of a few where that is one."""
        best_ms = spent_ms = self._sample_ms(call, 1)
        calls = ceil(SAMPLE_MS / max(best_ms, 1e-3))
        repeats = 1
        while spent_ms < budget_ms or (repeats < _FEWEST and spent_ms < _PATIENCE * budget_ms):
            took_ms = self._sample_ms(call, calls)
            best_ms = min(best_ms, took_ms)
            spent_ms += took_ms * calls
            repeats += 1
        return best_ms

    def _sample_ms(self, call: Call, calls: int) -> float:
        self.clock.start()
        for _ in range(calls):
            call()
        return self.clock.stop() / calls


def _bandwidths(bench: _Bench, last_level: int) -> Iterator[Ceiling]:
    """How fast a sum reads, which of torch's reductions is the fastest, and how fast a copy is."""
    whole = bench.pool.view(bench.torch.float32)
    sizes: dict[Residency, Sequence[int]] = {
        "cache": (last_level // 8, last_level // 4),  # others use it too; small ones are overhead
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
    """From the first half to the second, so that reading and writing add up to all of it."""
    source, target = values.chunk(2)
    return partial(target.copy_, source)


def _matmuls(bench: _Bench, dtype: str, last_level: int) -> Iterator[Ceiling]:
    """How fast square matrices are multiplied, by the quickest way that torch offers.

    Half precision goes by way of float32 too, conversions included: on a CPU without instructions
    for it that was 90 times faster, and it is what fast implementations do there.
    """
    item_bytes = getattr(bench.torch, dtype).itemsize
    in_cache = max(_SMALLEST, _rows(last_level // 8, item_bytes))
    in_memory = max(_SMALLEST, _rows(last_level * 5 // 4, item_bytes))
    sizes: tuple[tuple[int, Residency], ...] = (
        (_SMALLEST, "cache"),
        (in_cache, "cache"),
        (in_memory, "memory"),
        (in_memory * 3 // 2, "memory"),  # where the device is quick enough
    )
    ways = (False, True) if dtype in _BY_WAY_OF_FLOAT32 else (False,)
    rates = [rate for widen in ways for rate in _rates(bench, dtype, sizes, widen=widen)]
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
    """FLOP per second of every size that fits and, by the best rate so far, will not take long."""
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
    """Rows of square matrices of which three take so many bytes, in whole blocks of 64."""
    return ceil(isqrt(nbytes // (3 * item_bytes)) / 64) * 64


def _product(bench: _Bench, dtype: str, rows: int, *, widen: bool) -> Call | None:
    """One product within the pool, by way of float32 when widened; None when it does not fit."""
    torch = bench.torch
    types = [getattr(torch, dtype)] * 3 + [torch.float32] * 3 * widen
    if sum(each.itemsize for each in types) * rows**2 > bench.pool.nbytes:
        return None
    left, right, product, *wide = _squares(bench.pool, rows, types)
    # Plain steps, not random numbers: the process's generator is left as it is.
    torch.linspace(-1, 1, rows**2, out=left.view(-1))
    right.copy_(left.T)
    if not wide:
        return partial(torch.mm, left, right, out=product)

    def by_way_of_float32() -> Any:
        torch.mm(wide[0].copy_(left), wide[1].copy_(right), out=wide[2])
        return product.copy_(wide[2])

    return by_way_of_float32


def _squares(pool: Any, rows: int, types: Iterable[Any]) -> Iterator[Any]:
    """Square matrices of these dtypes, one behind the other."""
    end = 0
    for each in types:
        start, end = end, end + rows**2 * each.itemsize
        yield pool[start:end].view(each).view(rows, rows)


def _last_level_bytes(device: str, torch: Any) -> int:
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).L2_cache_size)
    return cache.last_level_bytes() or _ASSUMED_BYTES
