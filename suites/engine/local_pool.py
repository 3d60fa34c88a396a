"""The processes of a run's sessions: fresh ones, the first of them started early."""

from __future__ import annotations

from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Self

from suites.engine.local_session import Session
from suites.engine.protocol import Wait
from suites.engine.watch import Watch

Process = tuple[Watch, Session]
"""A session's process and its watch."""


@dataclass(slots=True)
class LocalPool:
    """Starts processes under the limits of a run. Use it as a context manager: none outlives that.

    A process that is started early imports torch while nothing is timed, and then waits. All
    processes share a folder for code that implementations compile.
    """

    time_limit_s: float
    memory_limit: int
    allocator: str = "default"
    prepare_limit_s: float = 300.0
    cuda_device: str = ""
    _ahead: dict[int, Process] = field(default_factory=dict)
    _folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in list(self._ahead):
            self.drop(session)
        if self._folder is not None:
            self._folder.cleanup()

    def start(self, session: int, threads: int) -> None:
        """Start a session's process early, unless it is started."""
        if session not in self._ahead:
            self._ahead[session] = self._started(threads)

    def take(self, session: int, threads: int) -> Process:
        """The process of a session, started now if it was not; the caller ends it."""
        return self._ahead.pop(session, None) or self._started(threads)

    def put_back(self, session: int, process: Process) -> None:
        """Keep a process that did another task for its session."""
        self._ahead[session] = process

    def settle(self) -> None:
        """Wait until all that were started early have imported what they need."""
        for session, (_, process) in list(self._ahead.items()):
            if process.ask(Wait(), lambda _: None) is not None:
                self.drop(session)  # importing ended it; another one is started later

    def drop(self, session: int) -> None:
        """End the process of a session that is not needed."""
        if session in self._ahead:
            self._ahead.pop(session)[1].end()

    def _started(self, threads: int) -> Process:
        watch = Watch(self.time_limit_s, self.memory_limit, self.prepare_limit_s)
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="attnbench-", ignore_cleanup_errors=True)
        folder = self._folder.name
        return watch, Session(
            watch,
            threads=threads,
            allocator=self.allocator,
            folder=folder,
            cuda_device=self.cuda_device,
        )
