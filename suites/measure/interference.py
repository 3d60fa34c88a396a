"""What disturbed a round: evidence from the scheduler, and from a piece of work that never changes.

On a shared machine of two cores the probe told most of how long attention took (rank correlation
0.47 over 477 samples), the time spent waiting for a CPU less (0.28), involuntary switches least
(0.24): 128 of 300 clean samples had some, so they are kept and decide nothing.
"""

from __future__ import annotations

import resource
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

WAITED_SHARE: Final = 0.02
"""Waiting for a CPU longer than this share of the round disturbs it: dropping such samples kept
93 % of them and halved their spread, from 12.9 % to 6.0 %."""
SLOW_PROBE: Final = 1.15
"""A probe slower than this many times its usual duration tells of a disturbed machine."""
USUAL_PERCENTILE: Final = 20
"""What is usual is this percentile: quick, since the machine can do it, and no lucky exception."""
FEWEST_READINGS: Final = 5
"""Before so many readings nothing is usual."""
PRODUCTS: Final = 6
"""Of so many products the quickest is a reading."""
_PROBE_SIZE: Final = 256


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the scheduler has done to this process so far.

    run_delay_ms          time its threads waited for a CPU, summed; None: the system keeps no count
    involuntary_switches  times it was taken off a CPU
    at_ms                 when, on the monotonic clock
    """

    run_delay_ms: float | None
    involuntary_switches: int
    at_ms: float


def snapshot(
    root: Path = Path("/proc/self/task"), now_ns: Callable[[], int] = time.perf_counter_ns
) -> Snapshot:
    """The state of things now, in a tenth of a millisecond.

    root  a folder for each thread of the process
    """
    return Snapshot(
        run_delay_ms=_run_delay_ms(root),
        involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        at_ms=now_ns() / 1e6,
    )


class Probe:
    """A product of two small matrices that never change: its duration is a gauge of the machine.

    It takes as many threads as the process has, since implementations do too and a neighbour on any
    of their cores is to show: a gauge of one thread missed one on the other core (rank correlation
    with the time of attention 0.1, this one's 0.5 to 0.6). With 256 rows it takes 0.4 ms on one
    thread and 0.25 ms on two, and touches three quarters of a mebibyte.
    """

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        # Plain steps, not random numbers: the process's generator is left as it is.
        steps = torch.linspace(-1, 1, _PROBE_SIZE**2, dtype=torch.float32, device="cpu")
        self._left = steps.view(_PROBE_SIZE, _PROBE_SIZE)
        self._right = self._left.T.contiguous()
        self._product = torch.mm(self._left, self._right)  # the library takes its workspace now
        self._now_ns = now_ns
        self._sorted_ms: list[float] = []

    def read(self) -> float:
        """Milliseconds of the product now, which is remembered.

        The quickest of six. The first finds the caches full of whoever ran last and takes 30 to
        50 % longer; the quicker of two still varied so much on an idle machine that one in three
        passed the limit, of six one in seven.
        """
        took_ms = min(self._product_ms() for _ in range(PRODUCTS))
        insort(self._sorted_ms, took_ms)
        return took_ms

    @property
    def usual_ms(self) -> float | None:
        """The running 20th percentile of its readings; None for fewer than five."""
        count = len(self._sorted_ms)
        if count < FEWEST_READINGS:
            return None
        return self._sorted_ms[(count - 1) * USUAL_PERCENTILE // 100]

    def _product_ms(self) -> float:
        began_ns = self._now_ns()
        torch.mm(self._left, self._right, out=self._product)
        return (self._now_ns() - began_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Waited:
    """What the scheduler did to this process for a while, as in Snapshot.

    wall_ms  how long that was
    """

    run_delay_ms: float | None
    involuntary_switches: int
    wall_ms: float


def waited_between(before: Snapshot, after: Snapshot) -> Waited:
    """Between two snapshots."""
    told = before.run_delay_ms is not None and after.run_delay_ms is not None
    return Waited(
        run_delay_ms=(after.run_delay_ms or 0) - (before.run_delay_ms or 0) if told else None,
        involuntary_switches=after.involuntary_switches - before.involuntary_switches,
        wall_ms=after.at_ms - before.at_ms,
    )


def disturbance(waited: Waited, probe_ms: float, usual_ms: float | None) -> str:
    """Why a round does not count as quiet, in words; empty when it does.

    waited    over the round
    probe_ms  what the probe read at the round
    usual_ms  what it usually reads; None: not known yet, so that it tells nothing
    """
    return "; ".join(filter(None, (_waiting(waited), _slowness(probe_ms, usual_ms))))


def _waiting(waited: Waited) -> str:
    if waited.run_delay_ms is None or waited.run_delay_ms <= WAITED_SHARE * waited.wall_ms:
        return ""
    return f"the threads waited {waited.run_delay_ms:.1f} ms for a CPU in {waited.wall_ms:.1f} ms"


def _slowness(probe_ms: float, usual_ms: float | None) -> str:
    if usual_ms is None or probe_ms <= SLOW_PROBE * usual_ms:
        return ""
    return f"the probe took {probe_ms:.2f} ms, usually {usual_ms:.2f} ms"


def _run_delay_ms(root: Path) -> float | None:
    """Time that all threads waited. One that is gone took its count along."""
    try:
        threads = list(root.iterdir())
    except OSError:
        return None
    counts = [count for thread in threads if (count := _waited_and_turns(thread))]
    if not any(turns for _, turns in counts):
        return None  # this thread had a turn: a system that counts none keeps no count
    return sum(waited_ns for waited_ns, _ in counts) / 1e6


def _waited_and_turns(thread: Path) -> tuple[int, int] | None:
    """Nanoseconds a thread waited for a CPU, and how often it got one; None when it is gone."""
    try:
        fields = (thread / "schedstat").read_text().split()
    except OSError:
        return None
    return (int(fields[1]), int(fields[2])) if len(fields) == 3 else None
