"""Events and streams of the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stand_in.runtime import Runtime


class Event:
    """A moment in the queue of the device."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.at_us: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        self._runtime.expect_alive()
        self.at_us = max(self._runtime.now_us(), self._runtime.free_us)

    def query(self) -> bool:
        return self.at_us is None or self.at_us <= self._runtime.now_us()

    def synchronize(self) -> None:
        self._runtime.wait_until(self.at_us or 0.0)

    def wait(self, stream: Stream | None = None) -> None:
        pass

    def elapsed_time(self, end: Event) -> float:
        if self.at_us is None or end.at_us is None:
            raise RuntimeError("both events must be recorded")
        if not (self.query() and end.query()):
            raise RuntimeError("CUDA error: device not ready")
        return (end.at_us - self.at_us) / 1000


class Stream:
    """A stream; all share one queue."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.cuda_stream = id(self)

    def wait_stream(self, other: Stream) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def synchronize(self) -> None:
        pass
