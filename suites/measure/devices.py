"""Timing on each kind of device: number of input sets, sampler, and figures beside the times.

The class for a GPU ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any, Literal, Protocol

from impls.interface import Problem
from suites.measure import cache, energy, nvidia
from suites.measure.cuda import (
    EventSampler,
    Spin,
    host_overhead_ms,
    input_sets,
    sustained,
)
from suites.measure.graph import Graphs, GraphSampler
from suites.measure.instruments import instrument_for
from suites.measure.ranges import Ranges
from suites.measure.rounds import FEWEST_ON_GPU, Arm, Sampling
from suites.measure.timing import (
    BESIDE_MS,
    CUDA_SAMPLE_MS,
    LONG_MS,
    SAMPLE_MS,
    SUSTAINED_FROM_MS,
    Call,
    Clock,
    ColdSampler,
    CudaClock,
    HostClock,
    HotSampler,
    Sampler,
    one_call_ms,
)

InputsFrom = Literal["", "L2", "memory"]
FEWEST_SETS = 2
"""Calls rotate through this many input sets, so that none gets the inputs of the call before."""
SETTLED_MS = 10.0
"""Longest sample that is taken to learn the device time of a call, ms; one call where it is longer.
"""


class Device(Protocol):
    """How calls are timed on a device."""

    @property
    def clock(self) -> Clock:
        """The clock for single calls, such as the first."""

    @property
    def sample_ms(self) -> float:
        """Least length of a sample."""

    @property
    def fewest_rounds(self) -> int:
        """Rounds of short calls to which a budget is extended; 0: it is not."""

    def input_sets(self, problem: Problem) -> int:
        """Number of input sets that the calls rotate through."""

    def inputs_from(self, problem: Problem, calls: int) -> InputsFrom:
        """Where a hot call finds its inputs.

        calls  in one sample
        """

    def sampler(self) -> Sampler:
        """A sampler for the calls of one implementation."""

    def settled_ms(self, sampler: Sampler, calls: Sequence[Call], call_ms: float) -> float:
        """The time of a call, as the sampler measures it after the warm-up.

        call_ms  as the clock of the warm-up measured it
        """

    def graphs(self) -> Graphs | None:
        """Captures the calls of one problem.

        None on a device without CUDA graphs, and for cold calls, which are timed one by one.
        """

    def unhidden(self, sampler: Sampler) -> float | None:
        """Share of the samples that hold launch time; None where launches are part of a call."""

    def state(self) -> dict[str, Any] | None:
        """Clocks, power and throttle reasons now; None without a driver that reports them."""

    def beside(self, call: Call, call_ms: float, *, under_load: bool) -> dict[str, float | None]:
        """Fields of a record beside the times: host_ms, sustained_ms and energy_mj.

        under_load  whether the call is also measured under sustained load, for two seconds
        """

    def meter(self) -> energy.Meter | None:
        """A meter for the energy of single calls; None where it cannot be read."""

    def samplings(self, arm: Arm) -> tuple[Sampling, ...]:
        """The contexts of this arm's samples: they read its energy, or name it in a profile."""

    def named(self, text: str) -> AbstractContextManager[None]:
        """A range of this name in the timeline of a profiler of the device."""


def device(name: str, *, cold: bool) -> Device:
    """The device of a problem. Raises ValueError for one without instruments.

    cold  whether the caches are flushed before each call
    """
    return instrument_for(name, {"cpu": Host, "cuda": _cuda})(cold=cold)


class Host:
    """A CPU: the work ends when the call returns."""

    def __init__(self, *, cold: bool) -> None:
        self.clock: Clock = HostClock()
        # Cold calls are separated by flushes: each is a sample by itself.
        self.sample_ms = 0.0 if cold else SAMPLE_MS
        self.fewest_rounds = 0
        self._cold = cold

    def input_sets(self, problem: Problem) -> int:  # noqa: ARG002 - equal for all problems
        """Two."""
        return FEWEST_SETS

    def inputs_from(self, problem: Problem, calls: int) -> InputsFrom:  # noqa: ARG002 - for GPUs
        """Unknown: other programs and the host of a virtual machine share the last-level cache."""
        return ""

    def sampler(self) -> Sampler:
        """The host's clock around the calls, with a flush before each when cold."""
        if not self._cold:
            return HotSampler(self.clock)
        return ColdSampler(self.clock, _flush("cpu"), _flush_ms("cpu"))

    def settled_ms(self, sampler: Sampler, calls: Sequence[Call], call_ms: float) -> float:  # noqa: ARG002 - for GPUs
        """As the warm-up measured it: with the same clock."""
        return call_ms

    def graphs(self) -> None:
        """None."""

    def unhidden(self, sampler: Sampler) -> None:
        """None."""

    def state(self) -> None:
        """None: the probe of the rounds measures the state of a CPU."""

    def beside(self, call: Call, call_ms: float, *, under_load: bool) -> dict[str, float | None]:  # noqa: ARG002 - for GPUs
        """Empty: these figures separate host and device."""
        return {}

    def meter(self) -> energy.Meter | None:
        """A meter of the processor's packages."""
        return energy.rapl()

    def samplings(self, arm: Arm) -> tuple[Sampling, ...]:
        """The energy of samples that are long enough for it and hold no flushes of the caches."""
        long = arm.count * arm.call_ms >= energy.LEAST_SAMPLE_MS
        meter = self.meter() if long and not self._cold else None
        return () if meter is None else (energy.sampling(meter),)

    def named(self, text: str) -> AbstractContextManager[None]:  # noqa: ARG002 - for GPUs
        """None: profilers of a CPU see the functions themselves."""
        return nullcontext()


class Cuda:
    """The current NVIDIA device; `cuda` is torch.cuda or a stand-in."""

    def __init__(self, cuda: Any, *, cold: bool) -> None:
        self.clock: Clock = CudaClock(cuda)
        self.sample_ms = CUDA_SAMPLE_MS
        self.fewest_rounds = FEWEST_ON_GPU
        self._cuda, self._cold = cuda, cold
        self._ranges = Ranges(cuda)
        self._properties = cuda.get_device_properties(cuda.current_device())

    def input_sets(self, problem: Problem) -> int:
        """As many as exceed the second-level cache three times."""
        return input_sets(problem.input_bytes, self._properties.L2_cache_size)

    def inputs_from(self, problem: Problem, calls: int) -> InputsFrom:
        """Memory, if more than the second-level cache is read before a set is used again."""
        if self._cold:
            return ""
        sets = min(calls, self.input_sets(problem))
        return "memory" if sets * problem.input_bytes > self._properties.L2_cache_size else "L2"

    def sampler(self) -> Sampler:
        """Events behind a spin."""
        flush, flush_ms = (_flush("cuda"), _flush_ms("cuda")) if self._cold else (None, 0.0)
        return EventSampler(self._cuda, spin=_spin(self._cuda), flush=flush, flush_ms=flush_ms)

    def settled_ms(self, sampler: Sampler, calls: Sequence[Call], call_ms: float) -> float:
        """Device time; the time of the warm-up includes launches, the most part of short calls."""
        return sampler.take(calls, max(1, min(len(calls), int(SETTLED_MS / max(call_ms, 1e-3)))))

    def graphs(self) -> Graphs | None:
        """The graphs of one problem; None for cold calls: a graph replays without a pause."""
        return None if self._cold else Graphs(self._cuda, _spin(self._cuda))

    def unhidden(self, sampler: Sampler) -> float | None:
        """Share of the samples that began before all their calls were launched."""
        return sampler.unhidden if isinstance(sampler, (EventSampler, GraphSampler)) else None

    def state(self) -> dict[str, Any] | None:
        """The state of the device as the driver reports it."""
        found = nvidia.read(str(self._properties.uuid))
        return None if found is None else asdict(found)

    def beside(self, call: Call, call_ms: float, *, under_load: bool) -> dict[str, float | None]:
        """Host time to launch a call, and its time and energy under sustained load."""
        found: dict[str, float | None] = {}
        if call_ms <= BESIDE_MS:
            found["host_ms"] = host_overhead_ms(call, self._cuda)
        if under_load and SUSTAINED_FROM_MS <= call_ms <= LONG_MS:
            found |= self._under_load(call)
        return found

    def _under_load(self, call: Call) -> dict[str, float | None]:
        meter = energy.board(str(self._properties.uuid))
        if meter is None:
            return {"sustained_ms": sustained(call, self._cuda)[0]}
        meter.start()
        each_ms, calls = sustained(call, self._cuda)
        total_mj = meter.stop()
        each_mj = None if total_mj is None else total_mj / calls
        return {"sustained_ms": each_ms, "energy_mj": each_mj}

    def meter(self) -> None:
        """None: the driver advances its counter too seldom for a single call."""

    def samplings(self, arm: Arm) -> tuple[Sampling, ...]:  # noqa: ARG002 - equal for all arms
        """A named range around each sample."""
        return (self._ranges.sampling,)

    def named(self, text: str) -> AbstractContextManager[None]:
        """A named range."""
        return self._ranges.named(text)


def _cuda(*, cold: bool) -> Device:
    import torch  # noqa: PLC0415 - a CPU needs none of it

    return Cuda(torch.cuda, cold=cold)


@functools.cache
def _flush(name: str) -> cache.Flush:
    return cache.Flush(name, cache.last_level_bytes())


@functools.cache
def _flush_ms(name: str) -> float:
    """Milliseconds of one flush, after a first one that faults its pages."""
    flush = _flush(name)
    flush()
    return one_call_ms(flush, HostClock())


@functools.cache
def _spin(cuda: Any) -> Spin:
    """One spin for the process: its calibration takes a while."""
    return Spin(cuda)
