"""Clocks, samples and warm-up: the time of a call.

The CUDA clock ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

from suites.measure.instruments import instrument_for

SAMPLE_MS = 0.1
"""Least length of a sample on a CPU, ms; a longer call is a sample by itself. Short samples give
smaller errors, because disturbances of a shared machine last longer. Error of the median ratio of
two identical arms (20 us a call, 250 ms in all, medians of 28 tries on a busy host): 0.05 % when
they alternated call by call, 0.09 % in turns of 10 calls, 0.38 % of 34, 0.84 % of 100."""
CUDA_SAMPLE_MS = 1.0
"""Least length of a sample on a GPU, ms. Events are accurate to about a microsecond (CUDA runtime,
cudaEventElapsedTime: 0.5 us), 0.1 % of it; shorter samples leave time for more rounds."""
LEAD_IN_BELOW_MS = 100.0
"""Calls shorter than this many ms are preceded by an untimed lead-in call: a 3 ms call straight
after a large one was measured 18 % slower."""
WARM_CALLS, WARM_MS, WARM_MOST_MS = 3, 30.0, 300.0
"""Warm-up: fewest calls, least ms, most ms. For a call known to take longer than the least ms, the
first call is the warm-up."""
MOST_CALLS = 10_000
"""Most calls in a warm-up or a sample, for a clock too coarse to see a call."""
QUICK_MS = 50.0
"""Calls up to this many ms are called more often in the check, to test caches and other layouts."""
LONG_MS = 1000.0
"""Calls longer than this many ms are timed once in a session, directly after the first call."""
BESIDE_MS = QUICK_MS
"""Calls on a GPU up to this many ms have a host time. Longer ones hide their launches, and the 25
calls that it takes would last for seconds."""
SUSTAINED_FROM_MS, SUSTAINED_S = 1.0, 2.0
"""With --sustained on a GPU: shortest call, ms, because launch gaps of shorter ones would let the
device cool; and seconds of calls without a pause."""
DRAWN_SETS = 2
"""Sets of random numbers for timed calls. Any more sets are derived from them."""


Call = Callable[[], object]


class Clock(Protocol):
    """Measures the time between `start` and `stop`."""

    def start(self) -> None:
        """Begin after the end of all earlier work."""

    def stop(self) -> float:
        """Milliseconds from `start` to the end of the work."""


class HostClock:
    """The monotonic clock of the host, for work that ends when the call returns."""

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
    """CUDA events around the work; the whole device is synchronized at both ends.

    cuda  torch.cuda or a stand-in
    """

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._began = cuda.Event(enable_timing=True)
        self._ended = cuda.Event(enable_timing=True)

    def start(self) -> None:
        """Synchronize the device and record the first event."""
        self._cuda.synchronize()
        self._began.record()

    def stop(self) -> float:
        """Record the second event and synchronize; milliseconds between the events."""
        self._ended.record()
        self._cuda.synchronize()
        return float(self._began.elapsed_time(self._ended))


def clock_for(device: str) -> Clock:
    """The clock of a device. Raises ValueError for a device without one."""
    clocks: dict[str, Callable[[], Clock]] = {"cpu": HostClock, "cuda": _cuda_clock}
    return instrument_for(device, clocks)()


def _cuda_clock() -> CudaClock:
    import torch  # noqa: PLC0415 - plans read this file's constants without torch

    return CudaClock(torch.cuda)


class Sampler(Protocol):
    """Takes one sample of an implementation's calls on a device.

    name  the method, stored in the record: host, events or graph; prefixed with "cold" when caches
          are flushed before each call
    """

    @property
    def name(self) -> str:
        """The method of timing."""

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of `count` calls that rotate through `calls`."""

    def aside_ms(self, count: int) -> float:
        """Milliseconds that a sample of `count` calls takes beside them: flushes and spins."""


@dataclass(frozen=True, slots=True)
class HotSampler:
    """Times calls back to back; `calls` are the same call on different inputs."""

    clock: Clock
    name: str = "host"

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of `count` calls."""
        rotated = [calls[index % len(calls)] for index in range(count)]
        self.clock.start()
        for call in rotated:
            call()
        return self.clock.stop() / count

    def aside_ms(self, count: int) -> float:  # noqa: ARG002 - equal for all counts
        """None."""
        return 0.0


@dataclass(frozen=True, slots=True)
class ColdSampler:
    """Flushes the caches before each call, outside the timer.

    flush_ms  time of one flush
    """

    clock: Clock
    flush: Call
    flush_ms: float = 0.0
    name: str = "cold host"

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of `count` calls."""
        total_ms = 0.0
        for index in range(count):
            self.flush()
            self.clock.start()
            calls[index % len(calls)]()
            total_ms += self.clock.stop()
        return total_ms / count

    def aside_ms(self, count: int) -> float:
        """Milliseconds of the flushes."""
        return self.flush_ms * count


def stretched(
    call: Call, part: float, now_ns: Callable[[], int] = time.perf_counter_ns
) -> Callable[[], None]:
    """The call, slowed by a known fraction of its own time.

    part  the fraction; 0 costs the same few clock readings

    The delay follows the time of this very call, so that it holds at any speed of the machine.
    """

    def call_slowly() -> None:
        began_ns = now_ns()
        call()
        wait_ns = (now_ns() - began_ns) * part
        until_ns = now_ns() + wait_ns  # a new reading: the overhead is equal for every part
        while now_ns() < until_ns:
            pass

    return call_slowly


def counted(function: Callable[..., Any], took_ms: list[float], device: str) -> Callable[..., Any]:
    """The function, which also appends the time of each call, in ms, to `took_ms`.

    device  of the problem: on a GPU a call returns before its work ends, so the device is
            synchronized before and after each call
    """
    clock = clock_for(device)

    def call(*arguments: Any) -> Any:
        clock.start()
        result = function(*arguments)
        took_ms.append(clock.stop())
        return result

    return call


def one_call_ms(call: Call, clock: Clock) -> float:
    """Milliseconds of one call."""
    clock.start()
    call()
    return clock.stop()


def warm_up(call: Call, clock: Clock) -> list[float]:
    """Call until the times stop falling; milliseconds of every call.

    At least 3 calls and 30 ms, then until a call is at most 1 % faster than the fastest before it;
    at most 300 ms. A call above 100 ms is made once.
    """
    took_ms = [one_call_ms(call, clock)]
    while took_ms[-1] < LEAD_IN_BELOW_MS and sum(took_ms) < WARM_MOST_MS:
        enough = len(took_ms) >= WARM_CALLS and sum(took_ms) >= WARM_MS
        if enough and took_ms[-1] >= 0.99 * min(took_ms[:-1]):
            break
        if len(took_ms) >= MOST_CALLS:
            break
        took_ms.append(one_call_ms(call, clock))
    return took_ms


def resolution_ms(now_ns: Callable[[], int] = time.perf_counter_ns, tries: int = 100) -> float:
    """The smallest step of the host's clock that was seen, ms.

    tries  number of steps

    Raises ValueError for a clock that stands still.
    """
    steps = []
    for _ in range(tries):
        began_ns = now_ns()
        later_ns = next((now for _ in range(100_000) if (now := now_ns()) != began_ns), began_ns)
        steps.append(later_ns - began_ns)
    if min(steps) <= 0:
        raise ValueError("the clock stands still: no time can be measured on this machine")
    return min(steps) / 1e6


def calls_for(call_ms: float, sample_ms: float = SAMPLE_MS) -> int:
    """Number of calls of this length in one sample."""
    return max(1, min(MOST_CALLS, ceil(sample_ms / max(call_ms, 1e-3))))
