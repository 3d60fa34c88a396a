"""How calls are timed on each kind of device: inputs in turn, the sampler, what else is told.

What concerns a GPU has been tested on stand-ins only; it never ran on one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from impls.interface import Problem
from suites.measure import cache, nvidia
from suites.measure.timing import (
    SAMPLE_MS,
    Call,
    Clock,
    ColdSampler,
    CudaClock,
    HostClock,
    HotSampler,
    Sampler,
    one_call_ms,
)

FEWEST_SETS = 2
"""Calls take their inputs in turn, so that none has those of the call before it."""
CUDA_SAMPLE_MS = 10.0
"""A sample on a GPU waits for the device at both ends, so it has to be worth it."""
SUSTAINED_FROM_MS = 1.0
"""Shorter calls are not kept up for seconds: launches leave the device time to rest."""


class Device(Protocol):
    """Where a problem is answered, and how its calls are timed there."""

    @property
    def clock(self) -> Clock:
        """For calls one at a time: the first ones."""

    @property
    def sample_ms(self) -> float:
        """What a sample holds at least."""

    @property
    def aside_ms(self) -> float:
        """What each timed call costs besides its time: emptying the caches."""

    def input_sets(self, problem: Problem) -> int:
        """How many sets of inputs the calls take in turn."""

    def sampler(self, calls: Sequence[Call]) -> Sampler:
        """What takes the samples of these calls, warm by now."""

    def state(self) -> dict[str, Any] | None:
        """Clocks, power and throttle reasons now; None where there are none to tell."""

    def beside(self, call: Call, call_ms: float) -> dict[str, float | None]:
        """Figures beside the times: host_ms, sustained_ms and cross_check_ms of a record."""


def device(name: str, *, cold: bool) -> Device:
    """The device of a problem.

    cold  caches are emptied before each call
    """
    if name == "cuda":
        import torch  # noqa: PLC0415 - a CPU's samples need none of it

        return Cuda(torch.cuda, cold=cold)
    return Host(cold=cold)


class Host:
    """A CPU: the work is done when the call returns."""

    def __init__(self, *, cold: bool) -> None:
        self.clock: Clock = HostClock()
        # Between two cold calls there is a flush anyway: one is a sample.
        self.sample_ms = 0.0 if cold else SAMPLE_MS
        self.aside_ms = _flush_ms("cpu") if cold else 0.0
        self._cold = cold

    def input_sets(self, problem: Problem) -> int:  # noqa: ARG002 - the same for all of them
        """Two."""
        return FEWEST_SETS

    def sampler(self, calls: Sequence[Call]) -> Sampler:  # noqa: ARG002 - the same for all of them
        """The host's clock around the calls, with a flush before each when cold."""
        return ColdSampler(self.clock, _flush("cpu")) if self._cold else HotSampler(self.clock)

    def state(self) -> None:
        """Nothing that a probe would not tell."""

    def beside(self, call: Call, call_ms: float) -> dict[str, float | None]:  # noqa: ARG002 - a GPU's
        """Nothing: the host does the work itself."""
        return {}


class Cuda:
    """An NVIDIA device; `cuda` is torch.cuda, or a stand-in."""

    def __init__(self, cuda: Any, *, cold: bool) -> None:
        self.clock: Clock = CudaClock(cuda)
        self.sample_ms = CUDA_SAMPLE_MS
        self.aside_ms = _flush_ms("cuda") if cold else 0.0
        self._cuda, self._cold = cuda, cold
        self._properties = cuda.get_device_properties(0)

    def input_sets(self, problem: Problem) -> int:
        """As many as it takes to exceed the second-level cache three times."""
        from suites.measure.cuda import input_sets  # noqa: PLC0415 - it builds on timing

        return input_sets(problem.fewest_bytes, self._properties.L2_cache_size)

    def sampler(self, calls: Sequence[Call]) -> Sampler:
        """Events behind a spin; a graph for short calls that can be captured as one."""
        from suites.measure.cuda import EventSampler  # noqa: PLC0415 - it builds on timing
        from suites.measure.graph import NotCapturableError, sampler_for  # noqa: PLC0415 - likewise

        flush = _flush("cuda") if self._cold else None
        events = EventSampler(self._cuda, spin=_spin(self._cuda), flush=flush)
        call_ms = events.take(calls, len(calls))
        sampler: Sampler = sampler_for(call_ms, self._cuda, spin=_spin(self._cuda), flush=flush)
        try:
            sampler.take(calls, len(calls))
        except NotCapturableError:
            return events
        return sampler

    def state(self) -> dict[str, Any] | None:
        """What the driver tells of the device now."""
        found = nvidia.read(str(self._properties.uuid))
        return None if found is None else asdict(found)

    def beside(self, call: Call, call_ms: float) -> dict[str, float | None]:
        """Host time of asking for one call; its time without a rest, and as triton takes it."""
        from suites.measure.cuda import (  # noqa: PLC0415 - likewise
            cross_check_ms,
            host_overhead_ms,
            sustained_ms,
        )

        return {
            "host_ms": host_overhead_ms(call, self._cuda),
            "sustained_ms": sustained_ms(call, self._cuda)
            if call_ms >= SUSTAINED_FROM_MS
            else None,
            "cross_check_ms": cross_check_ms(call),
        }


@functools.cache
def _flush(name: str) -> cache.Flush:
    return cache.Flush(name, cache.last_level_bytes())


@functools.cache
def _flush_ms(name: str) -> float:
    """What one flush takes, once its memory is there; it ends when all is done."""
    flush = _flush(name)
    flush()
    return one_call_ms(flush, HostClock())


@functools.cache
def _spin(cuda: Any) -> Any:
    """One for the process: finding its rate takes a while."""
    from suites.measure.cuda import Spin  # noqa: PLC0415 - it builds on timing

    return Spin(cuda)
