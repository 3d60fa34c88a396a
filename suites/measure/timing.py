"""Clocks and samples: how long a call takes.

The CUDA clock has been tested on a stand-in device only; it never ran on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

SAMPLE_MS = 0.1
"""A sample on a CPU holds at least this much work; one call where a call takes longer. So little,
since what disturbs a shared machine lasts longer: within 250 ms the median ratio of two identical
arms, 20 us a call, was off by 0.05 % when they alternated call by call, by 0.09 % in turns of 10
calls, 0.38 % of 34, 0.84 % of 100 (medians of 28 tries each, on a busy host)."""
LEAD_IN_BELOW_MS = 100.0
"""Calls shorter than this are preceded by an untimed one: a 3 ms call was measured 18 % slower
straight after a large one."""
WARM_CALLS, WARM_MS, WARM_MOST_MS = 3, 30.0, 300.0
"""Warming up takes at least so many calls and milliseconds, and at most so many milliseconds. A
call known to take longer than the least is warmed by its first one."""
MOST_CALLS = 10_000
QUICK_MS = 50.0
"""Calls up to so long are repeated in the check for what only more calls can tell."""
LONG_MS = 1000.0
"""Calls longer than this are timed once in a session, straight after the first call."""


Call = Callable[[], object]


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


class Sampler(Protocol):
    """Takes one sample of an implementation's calls on a device.

    name  how it was timed, kept with the record: host, events, graph; cold in front when the
          caches are emptied before each call
    """

    @property
    def name(self) -> str:
        """How it was timed."""

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds for one call, averaged over `count` that take the `calls` in turn."""


@dataclass(frozen=True, slots=True)
class HotSampler:
    """Calls follow each other at once; `calls` are the same call on different inputs."""

    clock: Clock
    name: str = "host"

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds for one call, averaged over `count` of them."""
        turns = [calls[index % len(calls)] for index in range(count)]
        self.clock.start()
        for call in turns:
            call()
        return self.clock.stop() / count


@dataclass(frozen=True, slots=True)
class ColdSampler:
    """The caches are emptied before each call, outside the timer.

    flush  empties them
    """

    clock: Clock
    flush: Call
    name: str = "cold host"

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds for one call, averaged over `count` of them."""
        total_ms = 0.0
        for index in range(count):
            self.flush()
            self.clock.start()
            calls[index % len(calls)]()
            total_ms += self.clock.stop()
        return total_ms / count


def stretched(
    call: Call, part: float, now_ns: Callable[[], int] = time.perf_counter_ns
) -> Callable[[], None]:
    """The call made slower by a known part: it returns that much later than it would have.

    However fast the machine is at the moment, since it is this call's own time that is stretched. A
    part of 0 costs the same few readings of the clock.
    """

    def call_slowly() -> None:
        began_ns = now_ns()
        call()
        wait_ns = (now_ns() - began_ns) * part
        until_ns = now_ns() + wait_ns  # read anew: what came before costs every part the same
        while now_ns() < until_ns:
            pass

    return call_slowly


def counted(function: Callable[..., Any], took_ms: list[float]) -> Callable[..., Any]:
    """The function; a list is told what each call of it took, milliseconds of wall time."""

    def call(*given: Any) -> Any:
        began_ns = time.perf_counter_ns()
        result = function(*given)
        took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
        return result

    return call


def one_call_ms(call: Call, clock: Clock) -> float:
    """Milliseconds of one call."""
    clock.start()
    call()
    return clock.stop()


def warm_up(call: Call, clock: Clock) -> list[float]:
    """Call until the times stop moving; milliseconds of every call.

    At least 3 calls and 30 ms, then until a call is no more than 1 % quicker than the quickest
    before it; at most 300 ms. One call alone where it takes more than 100 ms.
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
    """The smallest step that the host's clock was seen to make. Raises ValueError: it stands still.

    tries  how many steps are looked at
    """
    steps = []
    for _ in range(tries):
        began_ns = now_ns()
        later_ns = next((now for _ in range(100_000) if (now := now_ns()) != began_ns), began_ns)
        steps.append(later_ns - began_ns)
    if min(steps) <= 0:
        raise ValueError("the clock stands still; no time can be taken here")
    return min(steps) / 1e6


def calls_for(call_ms: float, sample_ms: float = SAMPLE_MS) -> int:
    """How many calls of this length make one sample."""
    return max(1, min(MOST_CALLS, ceil(sample_ms / max(call_ms, 1e-3))))
