"""Sessions and pools of them, as the engine uses both; tests have some that start no process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

from suites.engine.messages import Message
from suites.engine.protocol import Task
from suites.engine.watch import Ending, Watch

Receive = Callable[[Message], None]
State = Literal["working", "done"]
WORKING: Final[State] = "working"
DONE: Final[State] = "done"
Progress = State | Ending
"""Of a task; an Ending when its process ended before it was done."""


class Session(Protocol):
    """A process that does tasks."""

    def ask(self, task: Task, receive: Receive) -> Ending | None:
        """Do a task and pass on its messages; None when done, else how the process ended."""

    def give(self, task: Task) -> None:
        """Begin a task; `listen` says when it is done."""

    def listen(self, receive: Receive, within_s: float = 0.1) -> Progress:
        """Pass on the messages that arrive within some seconds."""

    def end(self) -> None:
        """End the process and all that it started."""


class Pool(Protocol):
    """The processes of a run's sessions."""

    def start(self, session: int, threads: int, process: str = "") -> None:
        """Start one early.

        process  its name in the session; "" is the first one
        """

    def take(self, session: int, threads: int, process: str = "") -> tuple[Watch, Session]:
        """One to use, with its watch."""

    def settle(self) -> None:
        """Wait until those started early are ready."""

    def drop(self, session: int) -> None:
        """End those of a session that is not needed."""

    def meeting(self) -> str:
        """The address of a socket where processes of a session can meet."""
