"""A stand-in for torch.cuda: a host and a device on one virtual clock, in microseconds.

Launching takes the host some time; a kernel starts when it is launched and the device is free. What
the host does moves the clock, what the device does moves the moment when it is free.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.at_us: float | None = None

    def record(self) -> None:
        self.at_us = max(self._cuda.now_us, self._cuda.free_us)

    def query(self) -> bool:
        return self.at_us is None or self.at_us <= self._cuda.now_us

    def synchronize(self) -> None:
        self._cuda.now_us = max(self._cuda.now_us, self.at_us or 0.0)

    def elapsed_time(self, end: FakeEvent) -> float:
        assert self.at_us is not None
        assert end.at_us is not None
        if not (self.query() and end.query()):
            raise RuntimeError("CUDA error: device not ready")
        return (end.at_us - self.at_us) / 1000


class FakeStream:
    def wait_stream(self, other: FakeStream) -> None:
        assert isinstance(other, FakeStream)


class FakeGraph:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.kernels_us: list[float] = []

    def replay(self) -> None:
        self._cuda.replays += 1
        self._cuda.launch(self._cuda.replay_gap_us + sum(self.kernels_us), host_us=10)

    def reset(self) -> None:
        self._cuda.held.remove(self)


class FakeCuda:
    """torch.cuda with a device that costs nothing but what is asked of it.

    slow_us       how long after the start its clock stays at a fifth
    depth         launches that may wait; the host waits for room beyond
    replay_gap_us device time between two replays of a graph
    refuses       what a capture ends with, if anything
    """

    def __init__(self, *, slow_us: float = 0.0, depth: int = 1024, refuses: str = "") -> None:
        self.now_us = self.free_us = 0.0
        self.slow_us, self.refuses = slow_us, refuses
        self.replay_gap_us = 0.0
        self.launched = self.replays = self.captures = self.synchronized = 0
        self.main = self.stream_now = FakeStream()
        self.held: list[FakeGraph] = []
        self.pools: set[object] = set()
        self._waiting: deque[float] = deque()
        self._depth = depth
        self._capturing: FakeGraph | None = None
        self._spoilt = False

    def now_ns(self) -> int:
        return round(self.now_us * 1000)

    def launch(self, device_us: float, *, host_us: float) -> None:
        """The host queues a kernel; within a capture it is written down instead."""
        self.now_us += host_us
        if self._capturing is not None:
            self._capturing.kernels_us.append(device_us)
            return
        self.launched += 1
        while self._waiting and self._waiting[0] <= self.now_us:
            self._waiting.popleft()
        if len(self._waiting) >= self._depth:
            self.now_us = max(self.now_us, self._waiting.popleft())
        self.free_us = max(self.free_us, self.now_us) + device_us
        self._waiting.append(self.free_us)

    def kernel(self, device_us: float, host_us: float, kernels: int = 1) -> Callable[[], None]:
        """A call of so many kernels, each with these times."""

        def call() -> None:
            for _ in range(kernels):
                self.launch(device_us, host_us=host_us)

        return call

    def waits(self, device_us: float, host_us: float) -> Callable[[], None]:
        """A call that waits for its own kernel, as `.item()` does."""

        def call() -> None:
            self.launch(device_us, host_us=host_us)
            self.synchronize()

        return call

    def synchronize(self) -> None:
        if self._capturing is not None:
            self._spoilt = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")
        self.synchronized += 1
        self.now_us = max(self.now_us, self.free_us)

    def _sleep(self, cycles: int) -> None:
        began_us = max(self.free_us, self.now_us)
        per_us = 400 if began_us < self.slow_us else 2000
        self.launch(cycles / per_us, host_us=0)

    def Event(self, *, enable_timing: bool) -> FakeEvent:  # noqa: N802 - torch's own name
        assert enable_timing
        return FakeEvent(self)

    def Stream(self) -> FakeStream:  # noqa: N802 - torch's own name
        return FakeStream()

    def current_stream(self) -> FakeStream:
        return self.stream_now

    @contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.stream_now = self.stream_now, stream
        try:
            yield
        finally:
            self.stream_now = before

    def CUDAGraph(self) -> FakeGraph:  # noqa: N802 - torch's own name
        return FakeGraph(self)

    def graph_pool_handle(self) -> object:
        return object()

    @contextmanager
    def graph(self, graph: FakeGraph, *, pool: object, stream: FakeStream) -> Iterator[None]:
        """Like torch's: what fails at the end of a capture leaves its stream the current one."""
        assert self.stream_now is stream
        self.captures += 1
        self.pools.add(pool)
        self.held.append(graph)
        self.stream_now, self._capturing = FakeStream(), graph
        try:
            yield
        finally:
            self._capturing = None
            if self._spoilt or self.refuses:
                raise RuntimeError(self.refuses or "CUDA error: capture was invalidated")
        self.stream_now = stream
