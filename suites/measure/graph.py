"""Samples of short calls on an NVIDIA device: many of them as one CUDA graph.

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
"""Calls shorter than this are sampled as one CUDA graph: the device would wait for the host."""
GRAPH_CALLS = 256
"""Calls in one graph, so that the gap between two replays, some microseconds, is shared by many."""


class NotCapturableError(ValueError):
    """The calls cannot become a CUDA graph, with the reason in a sentence."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """Calls as one CUDA graph: what replays it, and how many calls it holds."""

    calls: tuple[Call, ...]
    replay: Call
    size: int


class GraphSampler:
    """Device time of short calls, captured once as a CUDA graph and replayed. One for each call.

    The graph holds the inputs' addresses: new values are copied into them in place. It keeps the
    memory of its calls until it goes, or captures other calls.
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
        """Whether the last sample was free of the host."""
        return self._events.hidden

    def take(self, calls: Sequence[Call], count: int) -> float:
        """Milliseconds for one call, averaged over at least `count`, in whole graphs.

        Raises NotCapturableError when the calls cannot become a graph.
        """
        if self._graph is None or self._graph.calls != tuple(calls):
            self._graph = None  # before the next takes memory
            self._graph = self._captured(tuple(calls), min(count, GRAPH_CALLS))
        replays = ceil(count / self._graph.size)
        return self._events.take((self._graph.replay,), replays) / self._graph.size

    def _captured(self, calls: tuple[Call, ...], least: int) -> _Graph:
        if self._events.launch_ms(calls[0]) is None:
            # Before torch 2.12 a capture that fails leaves the allocator broken: none is begun.
            raise NotCapturableError("a call waits for the device, which a CUDA graph cannot hold")
        rotated = calls * ceil(least / len(calls))
        graph, side = self._cuda.CUDAGraph(), self._cuda.Stream()
        side.wait_stream(self._cuda.current_stream())
        # The outer stream context puts the stream back, which torch's own omits after a failure.
        with warnings.catch_warnings(), self._cuda.stream(side):
            warnings.filterwarnings("error", message="The CUDA Graph is empty")
            for call in calls * ceil(3 / len(calls)):  # workspaces are made outside the graph
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
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> EventSampler | GraphSampler:
    """The sampler for a call of this length on the device: a graph below 50 us, events above.

    call_ms  from an EventSampler: a clock that sees the host's part would choose wrongly
    flush    a graph replays without pause, so cold calls are always timed by events
    """
    if call_ms < GRAPH_BELOW_MS and flush is None:
        return GraphSampler(cuda, spin=spin, now_ns=now_ns)
    return EventSampler(cuda, spin=spin, flush=flush, now_ns=now_ns)
