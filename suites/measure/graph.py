"""Samples of short calls on an NVIDIA device: many calls in one CUDA graph.

This has been tested on a stand-in device only; it never ran on a GPU.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from suites.measure.cuda import EventSampler, Spin
from suites.measure.timing import Call

GRAPH_BELOW_MS = 0.05
"""Calls below this many ms are timed as a CUDA graph: the device would wait for launches."""
GRAPH_CALLS = 256
"""Calls in one graph: the gap of some us between two replays is divided by this number."""


class NotCapturableError(ValueError):
    """The calls cannot be captured as a CUDA graph, with the reason."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """Calls captured as one CUDA graph: the replay, and the number of calls."""

    calls: tuple[Call, ...]
    replay: Call
    size: int


class GraphSampler:
    """Device time of short calls, captured once as a CUDA graph and replayed. One for each call.

    The graph holds the addresses of the inputs, so that new values are copied in place. It keeps
    the memory of its calls until it is deleted or captures other calls.
    """

    def __init__(
        self,
        cuda: Any,
        *,
        spin: Spin | None = None,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.name = "graph"
        self._cuda = cuda
        self._events = EventSampler(cuda, spin=spin, now_ns=now_ns)
        self._graph: _Graph | None = None

    @property
    def hidden(self) -> bool:
        """Whether the launches of the last sample were hidden."""
        return self._events.hidden

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds of one call: the mean of at least `count`, in whole graphs.

        Raises NotCapturableError when the calls cannot be captured.
        """
        if self._graph is None or self._graph.calls != tuple(calls):
            self._graph = None  # free its memory before the next capture
            self._graph = self._captured(tuple(calls), min(count, GRAPH_CALLS))
        replays = ceil(count / self._graph.size)
        return self._events.take((self._graph.replay,), replays) / self._graph.size

    def aside_ms(self, count: int) -> float:
        """Milliseconds of the spins in a sample."""
        size = self._graph.size if self._graph else GRAPH_CALLS
        return self._events.aside_ms(ceil(count / size))

    def _captured(self, calls: tuple[Call, ...], least: int) -> _Graph:
        if self._events.launch_ms(calls[0]) is None:
            # Before torch 2.12 a failed capture breaks the allocator, so none is started.
            raise NotCapturableError("a call synchronizes, which a CUDA graph cannot capture")
        rotated = calls * ceil(least / len(calls))
        graph, side = self._cuda.CUDAGraph(), self._cuda.Stream()
        side.wait_stream(self._cuda.current_stream())
        # The outer stream context restores the stream; torch's own does not after a failure.
        with warnings.catch_warnings(), self._cuda.stream(side):
            warnings.filterwarnings("error", message="The CUDA Graph is empty")
            for call in calls * ceil(3 / len(calls)):  # allocate workspaces outside the graph
                call()
            try:
                with self._cuda.graph(graph, stream=side):
                    for call in rotated:
                        call()
            except (RuntimeError, UserWarning) as error:
                reason = str(error).partition("\n")[0]
                raise NotCapturableError(f"cannot be captured as a CUDA graph: {reason}") from error
        self._cuda.current_stream().wait_stream(side)
        return _Graph(calls, graph.replay, len(rotated))


def sampler_for(
    call_ms: float,
    cuda: Any,
    *,
    spin: Spin | None = None,
    flush: Call | None = None,
    flush_ms: float = 0.0,
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> EventSampler | GraphSampler:
    """The sampler for a call of this length: a CUDA graph below 50 us, events above.

    call_ms  from an EventSampler; a time that includes the launch would choose wrongly
    flush    cold calls are always timed by events: a graph replays without a pause
    """
    if call_ms < GRAPH_BELOW_MS and flush is None:
        return GraphSampler(cuda, spin=spin, now_ns=now_ns)
    return EventSampler(cuda, spin=spin, flush=flush, flush_ms=flush_ms, now_ns=now_ns)
