"""Time on an NVIDIA device: what a call takes there, apart from what queueing it takes.

Events are recorded on the current stream: work that a call leaves on another is not in its time.
All of this has been tested on a stand-in device only; it never ran on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from statistics import median
from typing import Any

from suites.measure.timing import Call

SPIN_LEAST_MS, SPIN_MOST_MS = 1.0, 50.0
MARGIN = 2.0
"""A spin lasts this many times what the host should need for the calls behind it."""
QUEUE_MS = 2.0
"""Host time of the calls behind one spin. A stream takes about a thousand launches, at 4 us each,
then the host waits until the spin is over."""
RETAKES = 3
"""Stretches of one sample that are taken again because the host came too late."""
SUSTAINED_BATCH_MS = 20.0
"""Calls queued at a time under sustained load last at least this long."""
OVERHEAD_CALLS = 25
"""Calls whose median is the host's part."""


class Spin:
    """Keeps the device busy for a while, so that the host can queue work behind it.

    cuda  torch.cuda, or a stand-in for it
    """

    CYCLES, TIMES = 20_000_000, 10

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        # An idle device clocks up within some tens of milliseconds: the fastest spin counts.
        self.cycles_per_ms = max(self._rate() for _ in range(self.TIMES))

    def __call__(self, ms: float) -> None:
        """Queue a spin of this length."""
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

    spin    shared by all samplers of a device; made here when not given
    flush   empties the caches; runs on the device before each call, outside its time
    hidden  whether the last sample was free of the host: False for a call that waits for the device
            itself, and where the host came too late; the sample then holds host time
    """

    def __init__(
        self,
        cuda: Any,
        *,
        spin: Spin | None = None,
        flush: Call | None = None,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.name = "cold events" if flush else "events"
        self.hidden = True
        self._cuda = cuda
        self._spin = spin or Spin(cuda)
        self._flush = flush
        self._now_ns = now_ns
        self._events = [cuda.Event(enable_timing=True) for _ in range(2)]
        self._learnt: tuple[Call, float | None] | None = None

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds for one call, averaged over `count` calls that rotate through `calls`."""
        launch_ms = self.launch_ms(calls[0])
        self.hidden = launch_ms is not None
        group, spin_ms = self._behind_one_spin(launch_ms, count)
        retakes = RETAKES if self.hidden else 0
        done, total_ms = 0, 0.0
        while done < count:
            last = min(done + group, count)
            took_ms, hidden = self._stretch(
                [calls[n % len(calls)] for n in range(done, last)], spin_ms
            )
            if not hidden and retakes:
                retakes -= 1
                group = max(1, (last - done) // 2)
                continue
            self.hidden = self.hidden and hidden
            total_ms += took_ms
            done = last
        return total_ms / count

    def launch_ms(self, call: Call) -> float | None:
        """Host milliseconds to queue one call; None when the call waits for the device."""
        if self._learnt is None or self._learnt[0] is not call:
            self._learnt = call, self._tried(call)
        return self._learnt[1]

    def _tried(self, call: Call) -> float | None:
        host_ms, late = self._queued_behind(SPIN_LEAST_MS, call)
        if late:  # slow to queue, or waiting: a longer spin tells
            host_ms, late = self._queued_behind(min(SPIN_MOST_MS, MARGIN * host_ms), call)
        return None if late else host_ms

    def _queued_behind(self, spin_ms: float, call: Call) -> tuple[float, bool]:
        """Host milliseconds to queue a call, and whether the spin was over by then."""
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
        """How many calls fit behind one spin, and its milliseconds."""
        if launch_ms is None:
            return 1 if self._flush else count, 0.0
        fit = 1 if self._flush else int(QUEUE_MS / max(launch_ms, 1e-3))
        group = max(1, min(fit, count))
        return group, max(SPIN_LEAST_MS, min(SPIN_MOST_MS, MARGIN * launch_ms * group))

    def _stretch(self, calls: Sequence[Call], spin_ms: float) -> tuple[float, bool]:
        """Milliseconds of these calls, and whether all were queued before the first began."""
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
    """How many sets of inputs to rotate so that they exceed three times the L2 cache: 2 to 64.

    bytes_of_one  the inputs of one call; its output returns to the same block each time
    l2_bytes      as `torch.cuda.get_device_properties(0).L2_cache_size` has it
    """
    return max(2, min(64, 3 * l2_bytes // max(bytes_of_one, 1) + 1))


def host_overhead_ms(
    call: Call, cuda: Any, now_ns: Callable[[], int] = time.perf_counter_ns
) -> float:
    """Host milliseconds to queue one call on an idle device; of a call that waits, all of it."""
    times_ns = []
    for _ in range(OVERHEAD_CALLS):
        cuda.synchronize()
        began_ns = now_ns()
        call()
        times_ns.append(now_ns() - began_ns)
    cuda.synchronize()
    return median(times_ns) / 1e6


def sustained_ms(call: Call, cuda: Any, seconds: float = 2.0) -> float:
    """Milliseconds for one call in the last half of a block of calls without a pause.

    The device heats and its clocks fall as they would in use; a sample is a short burst. A call
    that the host queues more slowly than the device runs it is as slow here.
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
            continue  # the batch just queued keeps the device busy while the one before is awaited
        marks[-2].synchronize()
        times_ms.append(float(marks[0].elapsed_time(marks[-2])))
        if times_ms[-1] - times_ms[-2] < SUSTAINED_BATCH_MS:
            batch *= 2
    cuda.synchronize()
    half = max(n for n, at_ms in enumerate(times_ms) if at_ms <= times_ms[-1] / 2)
    return (times_ms[-1] - times_ms[half]) / (done[len(times_ms) - 1] - done[half])


def _mark(cuda: Any) -> Any:
    event = cuda.Event(enable_timing=True)
    event.record()
    return event


def cross_check_ms(call: Call) -> float | None:
    """What Triton's own benchmark reads, with emptied caches; None where it is not installed."""
    try:
        testing = import_module("triton.testing")
    except ModuleNotFoundError:
        return None
    return float(testing.do_bench(call, return_mode="median"))
