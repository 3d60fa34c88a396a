"""Interference with a round: counters of the scheduler and of an NVIDIA device, and a probe.

The probe is a fixed matrix product on the CPU.
Rank correlation with the time of attention, 477 samples on a shared machine of two cores: probe
0.47, time waiting for a CPU 0.28, involuntary switches 0.24. Switches also occurred in 128 of 300
undisturbed samples, so they are recorded and decide nothing.
"""

from __future__ import annotations

import resource
import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from suites.stats.disturbance import SLOW_PROBE, WAITED_SHARE

USUAL_PERCENTILE: Final = 20
"""The usual time is this percentile of the readings: fast, but no outlier."""
FEWEST_READINGS: Final = 5
"""Readings that a usual time needs."""
PRODUCTS: Final = 6
"""A reading is the fastest of this many products."""
_PROBE_SIZE: Final = 256
"""Rows and columns of the matrices."""


THROTTLED_BY: Final = ("thermal",)
"""Policies whose counter disturbs a round. The power cap is none: boards under load
reach it in normal use, and how often depends on the implementation. It is recorded."""
SLOWED_BY: Final = (
    "hardware slowdown",
    "software thermal slowdown",
    "hardware thermal slowdown",
    "power brake",
)
"""Throttle reasons at the end of a round that disturb it."""

State = dict[str, Any]
"""Fields of suites.measure.nvidia.DeviceState."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters of the scheduler for this process.

    run_delay_ms          time its threads waited for a CPU, summed; None without a counter
    involuntary_switches  number of preemptions
    at_ms                 time of the snapshot on the monotonic clock
    """

    run_delay_ms: float | None
    involuntary_switches: int
    at_ms: float


def snapshot(
    root: Path = Path("/proc/self/task"),
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> Snapshot:
    """The counters now; takes 0.1 ms.

    root  holds a folder for each thread of the process
    """
    return Snapshot(
        run_delay_ms=_run_delay_ms(root),
        involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        at_ms=now_ns() / 1e6,
    )


class Probe:
    """A product of two small constant matrices: its time measures the speed of the machine.

    It uses all threads of the process, as implementations do, to detect load on any of their cores.
    A probe of one thread missed load on the other core: rank correlation with the time of attention
    0.1, against 0.5 to 0.6 of this one. With 256 rows it takes 0.4 ms on one thread and 0.25 ms on
    two, and touches 0.75 MiB.

    threads  of the product; None: all. One for a GPU: the other threads of OpenMP spin for about
             15 ms after a product, on CPUs that autograd's thread of the device needs
    """

    def __init__(
        self, now_ns: Callable[[], int] = time.perf_counter_ns, *, threads: int | None = None
    ) -> None:
        self._threads = threads
        # Steps, not random numbers: the random state of the process stays unchanged.
        steps = torch.linspace(-1, 1, _PROBE_SIZE**2, dtype=torch.float32, device="cpu")
        self._left = steps.view(_PROBE_SIZE, _PROBE_SIZE)
        self._right = self._left.T.contiguous()
        with _of_torch(threads):
            # The library allocates its workspace here.
            self._product = torch.mm(self._left, self._right)
        self._now_ns = now_ns
        self._sorted_ms: list[float] = []

    def read(self) -> float:
        """Milliseconds of the fastest of six products; the reading is kept for the usual time.

        The first product has cold caches and takes 30 to 50 % longer. On an idle machine one
        reading in three exceeded the limit with the faster of two products, one in seven with six.
        """
        with _of_torch(self._threads):
            took_ms = min(self._product_ms() for _ in range(PRODUCTS))
        insort(self._sorted_ms, took_ms)
        return took_ms

    def once(self) -> float:
        """Milliseconds of one product; not kept."""
        return self._product_ms()

    @property
    def usual_ms(self) -> float | None:
        """The 20th percentile of the readings so far; None for fewer than five."""
        count = len(self._sorted_ms)
        if count < FEWEST_READINGS:
            return None
        return self._sorted_ms[(count - 1) * USUAL_PERCENTILE // 100]

    def _product_ms(self) -> float:
        began_ns = self._now_ns()
        torch.mm(self._left, self._right, out=self._product)
        return (self._now_ns() - began_ns) / 1e6


@contextmanager
def _of_torch(threads: int | None) -> Iterator[None]:
    """Within this, torch has so many threads; None: as before.

    Without a change torch.set_num_threads is not called. After such a call, also with the number
    that was set before, SDPA of 8 heads and length 128 took 16 % longer in that process.
    """
    before = torch.get_num_threads()
    if threads in (None, before):
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class Waited:
    """The difference of two snapshots.

    wall_ms  time between them
    """

    run_delay_ms: float | None
    involuntary_switches: int
    wall_ms: float


def waited_between(before: Snapshot, after: Snapshot) -> Waited:
    """The difference of two snapshots."""
    known = before.run_delay_ms is not None and after.run_delay_ms is not None
    return Waited(
        run_delay_ms=(after.run_delay_ms or 0) - (before.run_delay_ms or 0) if known else None,
        involuntary_switches=after.involuntary_switches - before.involuntary_switches,
        wall_ms=after.at_ms - before.at_ms,
    )


class Waits:
    """Time that threads waited for a CPU within samples, over all processes of a session.

    Where several processes take turns their threads sleep and wake up between samples, which takes
    longer than the limit of a quiet round.
    """

    def __init__(self) -> None:
        self._every: list[Waited] = []

    @contextmanager
    def sampling(self, _: object = None) -> Iterator[None]:
        """The context of a sample of this process, of any arm."""
        before = snapshot()
        yield
        self.add(waited_between(before, snapshot()))

    def add(self, waited: Waited) -> None:
        """Add the wait of a sample, of any process."""
        self._every.append(waited)

    def drain(self) -> Waited:
        """The sum of all samples since the last call."""
        found, self._every = self._every, []
        delays = [each.run_delay_ms for each in found if each.run_delay_ms is not None]
        return Waited(
            run_delay_ms=sum(delays) if len(delays) == len(found) else None,
            involuntary_switches=sum(each.involuntary_switches for each in found),
            wall_ms=sum(each.wall_ms for each in found),
        )


def disturbance(
    waited: Waited,
    probe_ms: float,
    usual_ms: float | None,
    device: State | None = None,
    *,
    on_host: bool = True,
) -> str:
    """Why a round is disturbed; empty for a quiet round.

    waited    during the round
    probe_ms  the reading before the round
    usual_ms  the usual reading; None when it is not known yet, and the probe decides nothing
    device    as `throttled_between` returns it; None: not reported
    on_host   whether the times depend on the host. Otherwise its rules do not apply: a thread that
              waits for a GPU also waits for a CPU when it wakes up
    """
    on_the_host = (_waiting(waited), _slowness(probe_ms, usual_ms)) if on_host else ()
    return "; ".join(filter(None, (*on_the_host, _throttling(device or {}))))


def throttled_between(before: State | None, after: State | None) -> State | None:
    """The later state of a device, with the time that each policy reduced its clocks in between.

    None without a later state. A counter that was not read twice is not reported: None, not zero.
    """
    if after is None:
        return None
    first, last = (((state or {}).get("throttled_ms") or {}) for state in (before, after))
    between = {policy: last[policy] - first[policy] for policy in last if policy in first}
    return {**after, "throttled_ms": between or None}


def _throttling(device: State) -> str:
    counted = device.get("throttled_ms") or {}
    times = (
        f"the device reduced its clocks for {counted[policy]:.0f} ms ({policy})"
        for policy in THROTTLED_BY
        if counted.get(policy, 0) > 0
    )
    reasons = [each for each in device.get("reasons") or () if each in SLOWED_BY]
    slowed = f"the device reduced its clocks: {', '.join(reasons)}" if reasons else ""
    return "; ".join(filter(None, (*times, slowed)))


def _waiting(waited: Waited) -> str:
    if waited.run_delay_ms is None or waited.run_delay_ms <= WAITED_SHARE * waited.wall_ms:
        return ""
    return f"the threads waited {waited.run_delay_ms:.1f} ms for a CPU in {waited.wall_ms:.1f} ms"


def _slowness(probe_ms: float, usual_ms: float | None) -> str:
    if usual_ms is None or probe_ms <= SLOW_PROBE * usual_ms:
        return ""
    return f"the probe took {probe_ms:.2f} ms, usually {usual_ms:.2f} ms"


def _run_delay_ms(root: Path) -> float | None:
    """Time that the living threads waited, summed; None without a counter."""
    try:
        threads = list(root.iterdir())
    except OSError:
        return None
    counts = [count for thread in threads if (count := _waited_and_turns(thread))]
    if not any(turns for _, turns in counts):
        return None  # this thread has run, so zero turns mean that the system does not count
    return sum(waited_ns for waited_ns, _ in counts) / 1e6


def _waited_and_turns(thread: Path) -> tuple[int, int] | None:
    """Nanoseconds a thread waited for a CPU, and its number of turns; None when it has ended."""
    try:
        fields = (thread / "schedstat").read_text().split()
    except OSError:
        return None
    return (int(fields[1]), int(fields[2])) if len(fields) == 3 else None
