"""Time on an NVIDIA device: device time of a call, apart from the host time to launch it.

Events are recorded on the current stream, so that work on another stream is not in the time.
It ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md); `sustained` never ran on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from math import ceil
from statistics import median
from typing import Any

from suites.measure.timing import SUSTAINED_S, Call

SPIN_LEAST_MS, SPIN_MOST_MS = 1.0, 50.0
"""Least and most length of a spin, ms."""
MARGIN = 2.0
"""A spin lasts this many times the expected host time of the launches behind it."""
QUEUE_MS = 2.0
"""Host time of the launches behind one spin, ms. A stream queues about a thousand launches, at 4 us
each; the host would wait for the end of the spin at the next one."""
RETAKES = 3
"""Groups of calls in one sample that are timed again because the spin ended before the launches."""
LAUNCH_TRIES = 4
"""Calls behind longer and longer spins before a call counts as one that synchronizes. The host may
have been interrupted in some of them."""
SUSTAINED_BATCH_MS = 20.0
"""Least length of a batch of calls under sustained load, ms."""
OVERHEAD_CALLS = 25
"""Calls whose median is the host time."""


class Spin:
    """Keeps the device busy for a given time, so that the host can queue work behind it.

    cuda  torch.cuda or a stand-in
    """

    CYCLES, TIMES = 20_000_000, 10

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        # An idle device raises its clocks within some tens of ms: take the fastest spin.
        self.cycles_per_ms = max(self._rate() for _ in range(self.TIMES))

    def __call__(self, ms: float) -> None:
        """Queue a spin of this many milliseconds."""
        self._cuda._sleep(int(ms * self.cycles_per_ms))  # noqa: SLF001 - torch has no public spin

    def _rate(self) -> float:
        began, ended = (self._cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        self._cuda._sleep(self.CYCLES)  # noqa: SLF001 - torch has no public spin
        ended.record()
        self._cuda.synchronize()
        return self.CYCLES / float(began.elapsed_time(ended))


class EventSampler:
    """Device time between CUDA events, with the calls queued behind a spin. One for each call.

    spin      shared by all samplers of a device; made here when None
    flush     flushes the caches on the device before each call, outside its time
    flush_ms  time of one flush
    hidden    whether the launches of the last sample were hidden behind the spin. False for a call
              that synchronizes, and when the spin ended too early; the sample then holds host time.
    unhidden  share of all samples so far that were not hidden; None before the first
    """

    def __init__(
        self,
        cuda: Any,
        *,
        spin: Spin | None = None,
        flush: Call | None = None,
        flush_ms: float = 0.0,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.name = "cold events" if flush else "events"
        self.hidden = True
        self._cuda = cuda
        self._spin = spin or Spin(cuda)
        self._flush, self._flush_ms = flush, flush_ms
        self._now_ns = now_ns
        self._events = [cuda.Event(enable_timing=True) for _ in range(2)]
        self._launch: tuple[Call, float | None] | None = None
        self._samples = self._samples_unhidden = 0

    @property
    def unhidden(self) -> float | None:
        """Share of the samples that hold host time."""
        return self._samples_unhidden / self._samples if self._samples else None

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of `count` calls that rotate through `calls`."""
        launch_ms = self.launch_ms(calls[0])
        self.hidden = launch_ms is not None
        group, spin_ms = self._behind_one_spin(launch_ms, count)
        retakes = RETAKES if self.hidden else 0
        done, total_ms = 0, 0.0
        while done < count:
            last = min(done + group, count)
            took_ms, hidden = self._timed(
                [calls[n % len(calls)] for n in range(done, last)], spin_ms
            )
            if not hidden and retakes:
                retakes -= 1
                group = max(1, (last - done) // 2)
                continue
            self.hidden = self.hidden and hidden
            total_ms += took_ms
            done = last
        self._samples += 1
        self._samples_unhidden += not self.hidden
        return total_ms / count

    def aside_ms(self, count: int) -> float:
        """Milliseconds of spins and flushes in a sample, by the launch time of the last call."""
        launch_ms = None if self._launch is None else self._launch[1]
        group, spin_ms = self._behind_one_spin(launch_ms, count)
        return ceil(count / group) * spin_ms + count * self._flush_ms

    def launch_ms(self, call: Call) -> float | None:
        """Host milliseconds to launch one call; None when the call synchronizes."""
        if self._launch is None or self._launch[0] is not call:
            self._launch = call, self._measured_launch_ms(call)
        return self._launch[1]

    def _measured_launch_ms(self, call: Call) -> float | None:
        spin_ms = SPIN_LEAST_MS
        for _ in range(LAUNCH_TRIES):
            host_ms, late = self._queued_behind(spin_ms, call)
            if not late:
                return host_ms
            if min(host_ms, spin_ms) >= SPIN_MOST_MS:
                break
            # A slow launch or a synchronization: a longer spin distinguishes them.
            spin_ms = min(SPIN_MOST_MS, MARGIN * host_ms)
        return None

    def _queued_behind(self, spin_ms: float, call: Call) -> tuple[float, bool]:
        """Host milliseconds to launch a call, and whether the spin ended before."""
        self._cuda.synchronize()
        self._spin(spin_ms)
        self._events[0].record()
        began_ns = self._now_ns()
        call()
        host_ms = (self._now_ns() - began_ns) / 1e6
        late = bool(self._events[0].query())
        self._cuda.synchronize()
        return host_ms, late

    def _behind_one_spin(self, launch_ms: float | None, count: int) -> tuple[int, float]:
        """Number of calls behind one spin, and milliseconds of the spin."""
        if launch_ms is None:
            return 1 if self._flush else count, 0.0
        fit = 1 if self._flush else int(QUEUE_MS / max(launch_ms, 1e-3))
        group = max(1, min(fit, count))
        return group, max(SPIN_LEAST_MS, min(SPIN_MOST_MS, MARGIN * launch_ms * group))

    def _timed(self, calls: Sequence[Call], spin_ms: float) -> tuple[float, bool]:
        """Milliseconds of these calls, and whether all were queued before the first started."""
        began, ended = self._events
        self._cuda.synchronize()
        if self._flush:
            self._flush()
        if spin_ms:
            self._spin(spin_ms)
        began.record()
        for call in calls:
            call()
        ended.record()
        hidden = not began.query()
        self._cuda.synchronize()
        return float(began.elapsed_time(ended)), hidden


def input_sets(bytes_of_one: int, l2_bytes: int) -> int:
    """Number of input sets that together exceed three times the L2 cache: 2 to 64.

    bytes_of_one  of the inputs of one call; its output gets the same block each time. More than 64
                  sets of small inputs would take longer to make than to time
    l2_bytes      of the second-level cache
    """
    return max(2, min(64, 3 * l2_bytes // max(bytes_of_one, 1) + 1))


def host_overhead_ms(
    call: Call, cuda: Any, now_ns: Callable[[], int] = time.perf_counter_ns
) -> float:
    """Host milliseconds to launch one call on an idle device; the whole time if it synchronizes."""
    times_ns = []
    for _ in range(OVERHEAD_CALLS):
        cuda.synchronize()
        began_ns = now_ns()
        call()
        times_ns.append(now_ns() - began_ns)
    cuda.synchronize()
    return median(times_ns) / 1e6


def sustained(call: Call, cuda: Any, seconds: float = SUSTAINED_S) -> tuple[float, int]:
    """Milliseconds of one call in the second half of a block of calls without a pause; all calls.

    The device heats up and its clocks fall as in use; a sample is a short burst. When launching
    takes longer than running, this is the launch time.
    """
    cuda.synchronize()
    marks, done, batch = [_mark(cuda)], [0], 1
    times_ms = [0.0]
    while times_ms[-1] < seconds * 1e3:
        for _ in range(batch):
            call()
        marks.append(_mark(cuda))
        done.append(done[-1] + batch)
        if len(marks) == 2:
            continue  # wait for a batch only while the next one keeps the device busy
        marks[-2].synchronize()
        times_ms.append(float(marks[0].elapsed_time(marks[-2])))
        if times_ms[-1] - times_ms[-2] < SUSTAINED_BATCH_MS:
            batch *= 2
    cuda.synchronize()
    half = max(n for n, at_ms in enumerate(times_ms) if at_ms <= times_ms[-1] / 2)
    each_ms = (times_ms[-1] - times_ms[half]) / (done[len(times_ms) - 1] - done[half])
    return each_ms, done[-1]


def _mark(cuda: Any) -> Any:
    event = cuda.Event(enable_timing=True)
    event.record()
    return event


def cross_check_ms(call: Call) -> float | None:
    """Milliseconds by triton.testing.do_bench, with flushed caches; None without triton.

    Raises what triton raises, for instance where it finds no C compiler.
    """
    try:
        testing = import_module("triton.testing")
    except ModuleNotFoundError:
        return None
    return float(testing.do_bench(call, return_mode="median"))
