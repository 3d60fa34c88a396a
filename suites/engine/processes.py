"""The processes of a run's sessions: fresh ones, the first of them started before their turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from suites.engine.local import Session
from suites.engine.watch import Watch

Process = tuple[Watch, Session]
"""A session's process, and the watch over it."""


@dataclass(slots=True)
class Processes:
    """Starts processes under the limits of a run. Use it as a context manager: none outlives that.

    One started ahead imports while nothing is timed and then waits, without work of its own; it is
    as fresh as one that is started later.
    """

    time_limit_s: float
    memory_limit: int
    allocator: str = "default"
    _ahead: dict[int, Process] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in list(self._ahead):
            self.drop(session)

    def start(self, session: int, threads: int) -> None:
        """Start a session's process before its turn, unless that is done."""
        if session not in self._ahead:
            self._ahead[session] = self._started(threads)

    def take(self, session: int, threads: int) -> Process:
        """The process of a session, started now if it was not: the taker ends it."""
        return self._ahead.pop(session, None) or self._started(threads)

    def put_back(self, session: int, process: Process) -> None:
        """Have a process that answered something else wait for its session."""
        self._ahead[session] = process

    def settle(self) -> None:
        """Wait until all that were started ahead have imported what they need."""
        for session, (_, process) in list(self._ahead.items()):
            if process.ask({"task": "wait"}, lambda _: None) is not None:
                self.drop(session)  # it died of importing; another one is started in its turn

    def drop(self, session: int) -> None:
        """End the process of a session that has nothing to do."""
        if session in self._ahead:
            self._ahead.pop(session)[1].end()

    def _started(self, threads: int) -> Process:
        watch = Watch(self.time_limit_s, self.memory_limit)
        return watch, Session(watch, threads=threads, allocator=self.allocator)
