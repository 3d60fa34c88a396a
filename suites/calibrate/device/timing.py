"""The step `timing`: events, CUDA graphs and triton's do_bench on the same calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from statistics import median
from typing import Any, Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from suites.calibrate.device import sizes
from suites.calibrate.device.figure import Figure, Target
from suites.measure import precision
from suites.measure.cuda import EventSampler, Spin, cross_check_ms, input_sets
from suites.measure.graph import Graphs, GraphSampler, NotCapturableError
from suites.measure.timing import Call, calls_for

WITHIN: Final = 0.05
"""Methods agree within this part on calls that take longer than gaps between kernels."""
COLD_TAKES: Final = (0.95, 1.15)
"""The time by do_bench over that by events, least and most. It writes 256 MB before each call: a
product then reads its operands from memory, while the cache writes these bytes back. On an H200
products of 4096 rows took 2.7 to 8.0 % longer so, and attention 0.1 to 1.6 % less long."""
SAMPLE_MS: Final = 5.0
SAMPLES: Final = 5
SHORT_ROWS: Final = 256
"""Rows of a product that is shorter than its launch."""


def figures(target: Target) -> Iterator[Figure]:
    """Milliseconds by each method for every case, and their ratios."""
    precision.settle()
    spin, worst = Spin(torch.cuda), 0.0
    for name, calls in _cases(target):
        found = _times_ms(calls, spin)
        yield from (
            Figure(name=f"{name} by {method}", value=ms, unit="ms") for method, ms in found.items()
        )
        for figure in ratios(name, found):
            worst = max(worst, abs(float(figure.value or inf) - 1))
            yield figure
    yield from _short(target, spin)
    yield Figure(name="largest disagreement", value=f"{worst:.1%}")


def ratios(name: str, times_ms: dict[str, float | None]) -> Iterator[Figure]:
    """The ratio of each other method to events."""
    events_ms = times_ms["events"]
    for method, ms in times_ms.items():
        if method == "events" or events_ms is None or (method == "do_bench" and ms is None):
            continue
        if ms is None:
            yield Figure(
                name=f"{name}: {method}",
                value=None,
                expected="a time",
                reason="these calls can be captured",
                holds=False,
            )
            continue
        least, most = COLD_TAKES if method == "do_bench" else (1 - WITHIN, 1 + WITHIN)
        reason = "the same calls, long enough that gaps between kernels do not count"
        yield Figure(
            name=f"{name}: {method} / events",
            value=ms / events_ms,
            expected=f"{least:g} to {most:g}",
            reason=f"{reason}; its caches are cold" if method == "do_bench" else reason,
            holds=least <= ms / events_ms <= most,
        )


def _times_ms(calls: Sequence[Call], spin: Spin) -> dict[str, float | None]:
    events, graphs = EventSampler(torch.cuda, spin=spin), Graphs(torch.cuda, spin)
    call_ms = events.take(calls, len(calls))
    count = calls_for(call_ms, SAMPLE_MS)
    found = {
        "events": _sampled_ms(events, calls, count),
        "graph": _graph_ms(graphs, calls, call_ms, count),
        "do_bench": cross_check_ms(calls[0]),
    }
    graphs.release()
    return found


def _graph_ms(graphs: Graphs, calls: Sequence[Call], call_ms: float, count: int) -> float | None:
    """Milliseconds of one call in a graph; None where the calls cannot be captured."""
    try:
        return _sampled_ms(graphs.sampler(calls, call_ms), calls, count)
    except NotCapturableError:
        return None


def _sampled_ms(sampler: EventSampler | GraphSampler, calls: Sequence[Call], count: int) -> float:
    sampler.take(calls, count)  # a first one warms up
    return median(sampler.take(calls, count) for _ in range(SAMPLES))


def _short(target: Target, spin: Spin) -> Iterator[Figure]:
    """A product that is shorter than its launch, by events and as a graph."""
    calls = _products(target.device, SHORT_ROWS, 2)
    found = _times_ms(calls, spin)
    events_ms, graph_ms = found["events"] or 0.0, found["graph"] or inf
    yield Figure(
        name=f"product of {SHORT_ROWS} rows: graph / events",
        value=graph_ms / events_ms,
        expected=f"at most {1 + WITHIN:g}",
        reason="a graph has shorter gaps between kernels, never longer ones",
        holds=graph_ms <= (1 + WITHIN) * events_ms,
    )


def _cases(target: Target) -> Iterator[tuple[str, list[Call]]]:
    rows, length = sizes.rows(target.memory_bytes), sizes.length(target.memory_bytes)
    sets = _sets(rows**2 * sizes.HALF_BYTES)
    yield f"product of {rows} rows", _products(target.device, rows, sets)
    for each in (2 * length, 4 * length):
        shape = (1, 16, each, 128)
        sets = _sets(3 * torch.Size(shape).numel() * sizes.HALF_BYTES)
        yield f"attention t{each}", [_attention(target.device, shape) for _ in range(sets)]


def _sets(bytes_of_one: int) -> int:
    properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
    return input_sets(bytes_of_one, properties.L2_cache_size)


def _products(device: str, rows: int, sets: int) -> list[Call]:
    squares = torch.randn(sets, rows, rows, device=device, dtype=_half()[0])
    return [lambda each=each: each @ each for each in squares]  # type: ignore[misc] # a default


def _attention(device: str, shape: tuple[int, ...]) -> Call:
    dtype, backend = _half()
    q, k, v = (torch.randn(shape, device=device, dtype=dtype) for _ in range(3))

    def call() -> torch.Tensor:
        with sdpa_kernel(backend):
            return scaled_dot_product_attention(q, k, v, is_causal=True)

    return call


def _half() -> tuple[torch.dtype, SDPBackend]:
    """A half-precision dtype and a fused attention that this device has."""
    if torch.cuda.get_device_capability() >= (8, 0):
        return torch.bfloat16, SDPBackend.FLASH_ATTENTION
    return torch.float16, SDPBackend.EFFICIENT_ATTENTION
