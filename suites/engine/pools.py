"""Sessions and pools of them, as the engine uses both; tests have some that start no process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from suites.engine.messages import Message
from suites.engine.protocol import Task
from suites.engine.watch import Ending, Watch

Receive = Callable[[Message], None]


class Session(Protocol):
    """A process that does tasks."""

    def ask(self, task: Task, receive: Receive) -> Ending | None:
        """Do a task and pass on its messages; None when done, else how the process ended."""

    def end(self) -> None:
        """End the process and all that it started."""


class Pool(Protocol):
    """The processes of a run's sessions."""

    def start(self, session: int, threads: int) -> None:
        """Start one early."""

    def take(self, session: int, threads: int) -> tuple[Watch, Session]:
        """One to use, with its watch."""

    def settle(self) -> None:
        """Wait until those started early are ready."""

    def drop(self, session: int) -> None:
        """End one that is not needed."""
