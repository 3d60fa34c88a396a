"""Times on a CUDA device: events that are read later, so that no call waits for the device."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any

import torch


class DeviceClock:
    """Pairs of events; a line with a time is written once the device has passed both.

    write    of the raw file
    process  that the events belong to
    """

    def __init__(self, write: Callable[[Any], None]) -> None:
        self._write = write
        self.process = os.getpid()
        self._waiting: deque[tuple[list[Any], Any, Any]] = deque()

    def mark(self) -> Any:
        """An event of now on the current stream; None while a CUDA graph is captured."""
        if torch.cuda.is_current_stream_capturing():
            return None
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call] # torch
        event.record()
        return event

    def between(self, line: list[Any], begun: Any, ended: Any) -> None:
        """Write the line with the nanoseconds between two events, as soon as they are known."""
        if begun is None or ended is None:
            self._write([*line, None])
            return
        self._waiting.append((line, begun, ended))
        while self._waiting and self._waiting[0][2].query():
            self._read()

    def finish(self) -> None:
        """Wait for the device, and write every time."""
        if self._waiting:
            torch.cuda.synchronize()
        while self._waiting:
            self._read()

    def forget(self) -> None:
        """Drop the events of the parent process: this is a forked one."""
        self._waiting.clear()
        self.process = os.getpid()

    def _read(self) -> None:
        line, begun, ended = self._waiting.popleft()
        self._write([*line, round(begun.elapsed_time(ended) * 1e6)])
