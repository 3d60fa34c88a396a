"""The processes of a run's sessions: fresh ones, the first of them started early."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
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

    pythons  the interpreters of processes that have another one than this program, by their names
    """

    time_limit_s: float
    memory_limit: int
    allocator: str = "default"
    prepare_limit_s: float = 300.0
    cuda_device: str = ""
    pythons: dict[str, str] = field(default_factory=dict)
    _ahead: dict[tuple[int, str], Process] = field(default_factory=dict)
    _meetings: int = 0
    _folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in {session for session, _ in self._ahead}:
            self.drop(session)
        if self._folder is not None:
            self._folder.cleanup()

    def start(self, session: int, threads: int, process: str = "") -> None:
        """Start a process of a session early, unless it is started."""
        if (session, process) not in self._ahead:
            self._ahead[session, process] = self._started(threads, process)

    def take(self, session: int, threads: int, process: str = "") -> Process:
        """A process of a session, started now if it was not; the caller ends it."""
        return self._ahead.pop((session, process), None) or self._started(threads, process)

    def put_back(self, session: int, process: Process, name: str = "") -> None:
        """Keep a process that did another task for its session."""
        self._ahead[session, name] = process

    def settle(self) -> None:
        """Wait until all that were started early have imported what they need."""
        for key, started in list(self._ahead.items()):
            if started[1].ask(Wait(), lambda _: None) is not None:
                self._ahead.pop(key)[1].end()  # importing ended it; another one is started later

    def drop(self, session: int) -> None:
        """End the processes of a session that is not needed."""
        for key in [key for key in self._ahead if key[0] == session]:
            self._ahead.pop(key)[1].end()

    def meeting(self) -> str:
        """The address of a socket where processes of a session can meet, another one each time."""
        self._meetings += 1
        return str(Path(self._shared_folder, f"meeting-{self._meetings}"))

    @property
    def _shared_folder(self) -> str:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="attnbench-", ignore_cleanup_errors=True)
        return self._folder.name

    def _started(self, threads: int, process: str) -> Process:
        watch = Watch(self.time_limit_s, self.memory_limit, self.prepare_limit_s)
        return watch, Session(
            watch,
            threads=threads,
            allocator=self.allocator,
            folder=self._shared_folder,
            cuda_device=self.cuda_device,
            python=self.pythons.get(process, sys.executable),
        )
