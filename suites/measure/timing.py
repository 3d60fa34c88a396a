"""Clocks and samples: how long a call takes.

The CUDA clock has been tested on a stand-in device only; it never ran on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import Any, Protocol

SAMPLE_MS = 10.0
"""A sample holds at least this much work; one call where a call takes longer."""
LEAD_IN_BELOW_MS = 100.0
"""Calls shorter than this are preceded by an untimed one: a 3 ms call was measured 18 % slower
straight after a large one."""
LONG_MS = 1000.0
"""Calls longer than this are timed once in a session, straight after the first call."""


class Clock(Protocol):
    """Measures one stretch of work at a time."""

    def start(self) -> None:
        """Begin when all earlier work is done."""

    def stop(self) -> float:
        """Milliseconds since `start`, when the work is done."""


class HostClock:
    """The machine's monotonic clock, for work that is done when the call returns."""

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._now_ns = now_ns
        self._began_ns = 0

    def start(self) -> None:
        """Begin now."""
        self._began_ns = self._now_ns()

    def stop(self) -> float:
        """Milliseconds since `start`."""
        return (self._now_ns() - self._began_ns) / 1e6


class CudaClock:
    """CUDA events around the work, with the whole device synchronised at both ends.

    cuda  torch.cuda, or a stand-in for it
    """

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._began = cuda.Event(enable_timing=True)
        self._ended = cuda.Event(enable_timing=True)

    def start(self) -> None:
        """Wait for the device and mark the beginning."""
        self._cuda.synchronize()
        self._began.record()

    def stop(self) -> float:
        """Mark the end, wait for it, and read the milliseconds between the two."""
        self._ended.record()
        self._cuda.synchronize()
        return float(self._began.elapsed_time(self._ended))


def clock_for(device: str) -> Clock:
    """The clock that sees the work of a device."""
    if device != "cuda":
        return HostClock()
    import torch  # noqa: PLC0415 - plans read this file's constants without torch

    return CudaClock(torch.cuda)


def sample(call: Callable[[], object], calls: int, clock: Clock) -> float:
    """Milliseconds for one call, averaged over `calls` of them."""
    clock.start()
    for _ in range(calls):
        call()
    return clock.stop() / calls


def warm_up(call: Callable[[], object], clock: Clock) -> float:
    """At least 3 calls and 30 ms, or one call above 100 ms; milliseconds of the last."""
    took = total = sample(call, 1, clock)
    calls = 1
    while took < LEAD_IN_BELOW_MS and (calls < 3 or total < 30.0) and calls < 1000:
        took = sample(call, 1, clock)
        total += took
        calls += 1
    return took


def calls_for(call_ms: float) -> int:
    """How many calls of this length make one sample."""
    return max(1, min(10_000, ceil(SAMPLE_MS / max(call_ms, 1e-3))))
