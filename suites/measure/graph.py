"""Samples of short calls on an NVIDIA device: many calls in one CUDA graph.

It ran on an NVIDIA H200 on 2026-11-29 (docs/gpu.md).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Final

from suites.measure.cuda import EventSampler, Spin
from suites.measure.device_errors import ends_cuda
from suites.measure.timing import Call

GRAPH_BELOW_MS: Final = 0.05
"""A problem whose fastest call is below this many ms is timed by CUDA graphs: a sample of such
calls would need a hundred launches."""
GRAPH_CALLS: Final = 256
"""Calls in one graph: the gap of some us between two replays is divided by this number."""
GRAPH_MS: Final = 1.28
"""Length of a graph of slower calls, ms: 256 calls of 5 us. A gap of 6 us is 0.5 % of it."""
SYNCHRONIZES: Final = "its calls synchronize the device, or take too long to launch"
WARM_CALLS: Final = 3
"""Least calls on the side stream before a capture. Libraries make their handles and workspaces in
them; torch's documentation requires them (CUDA semantics, "whole-network capture")."""


class NotCapturableError(ValueError):
    """The calls cannot be captured as a CUDA graph, with the reason.

    started  whether a capture was started. It leaves torch's allocator unusable for captures before
             torch 2.12 (`captures_underway` in c10/cuda/CUDACachingAllocator.cpp), and libraries in
             an undefined state in all versions: the process has to end.
    """

    def __init__(self, reason: str, *, started: bool) -> None:
        super().__init__(reason)
        self.started = started


class GraphSampler:
    """Device time of short calls in a CUDA graph that is replayed. One for each call.

    calls   the calls that were captured
    graph   the captured graph
    size    number of calls in it
    events  times the replays
    """

    def __init__(self, calls: Sequence[Call], graph: Any, size: int, events: EventSampler) -> None:
        self.name = "graph"
        self.size = size
        self._calls, self._events = tuple(calls), events
        self._replay: Call = graph.replay

    @property
    def hidden(self) -> bool:
        """Whether the launches of the last sample were hidden."""
        return self._events.hidden

    @property
    def unhidden(self) -> float | None:
        """Share of the samples that hold host time; None before the first."""
        return self._events.unhidden

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of at least `count`, in whole graphs.

        Raises ValueError for other calls than the captured ones.
        """
        if tuple(calls) != self._calls:
            raise ValueError("these calls are not the captured ones: a graph holds their addresses")
        return self._events.take((self._replay,), ceil(count / self.size)) / self.size

    def aside_ms(self, count: int) -> float:
        """Milliseconds of the spins in a sample."""
        return self._events.aside_ms(ceil(count / self.size))


class Graphs:
    """The CUDA graphs of one problem. They share a side stream and a memory pool.

    A graph holds addresses: new values of inputs are copied in place, and no tensor that a call
    reads may be freed before `release`. A pool is shared without harm, because no graph reads what
    another one wrote.
    """

    def __init__(
        self, cuda: Any, spin: Spin, now_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._cuda, self._spin, self._now_ns = cuda, spin, now_ns
        self._side, self._pool = cuda.Stream(), cuda.graph_pool_handle()
        self._captured: list[Any] = []

    def sampler(self, calls: Sequence[Call], call_ms: float) -> GraphSampler:
        """Capture the calls.

        call_ms  device time of one call

        Raises NotCapturableError.
        """
        events = EventSampler(self._cuda, spin=self._spin, now_ns=self._now_ns)
        if events.launch_ms(calls[0]) is None:
            raise NotCapturableError(SYNCHRONIZES, started=False)
        rotated = rotation(calls, call_ms)
        self._warm(calls)
        graph = self._cuda.CUDAGraph()
        self._capture(graph, rotated)
        self._captured.append(graph)
        return GraphSampler(calls, graph, len(rotated), events)

    def release(self) -> None:
        """Delete the graphs and return their memory to the allocator."""
        self._cuda.synchronize()
        while self._captured:
            self._captured.pop().reset()

    def _warm(self, calls: Sequence[Call]) -> None:
        """Call on the side stream; the capture follows after all of it."""
        self._side.wait_stream(self._cuda.current_stream())
        with self._cuda.stream(self._side):
            for call in [*calls] * ceil(WARM_CALLS / len(calls)):
                call()
        self._cuda.current_stream().wait_stream(self._side)
        self._cuda.synchronize()  # an error of these kernels is none of the capture

    def _capture(self, graph: Any, calls: Sequence[Call]) -> None:
        # The outer stream context restores the stream; torch's own does not after a failure.
        with warnings.catch_warnings(), self._cuda.stream(self._side):
            warnings.filterwarnings("error", message="The CUDA Graph is empty")
            try:
                with self._cuda.graph(graph, pool=self._pool, stream=self._side):
                    for call in calls:
                        call()
            except Exception as error:
                if ends_cuda(error):
                    raise
                reason = str(error).partition("\n")[0]
                raise NotCapturableError(reason, started=True) from error


def rotation(calls: Sequence[Call], call_ms: float) -> list[Call]:
    """The calls of one graph: each input set equally often where all sets fit.

    256 calls, and fewer of calls above 5 us: as many as take 1.28 ms.
    """
    size = max(1, min(GRAPH_CALLS, ceil(GRAPH_MS / max(call_ms, 1e-6))))
    if size < len(calls):
        return list(calls[:size])
    return [*calls] * ceil(size / len(calls))
