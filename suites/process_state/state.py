"""The state of this process: recorded before an implementation runs, verified afterwards.

Several implementations are measured in one process, so each must leave its state unchanged.
Additions are normal and are no change: new modules, environment variables, `sys.path` entries,
descriptors, waiting threads, callbacks of the garbage collection, and torch's own patches when it
first compiles.
"""

from __future__ import annotations

from typing import Any, Final

from suites.process_state import functions, python, system, threads, torch_settings
from suites.process_state.watched import Watched

SHARED: Final = (
    "leave the process state unchanged, since other implementations share this process, or measure "
    "it in a process of its own with --apart NAME"
)
"""The last part of every message about a changed process state."""
WATCHED: Final = (
    *python.WATCHED,
    *system.WATCHED,
    *torch_settings.WATCHED,
    *functions.WATCHED,
    *threads.WATCHED,
)


class DisturbedError(Exception):
    """An implementation changed the process state; the message lists the changes."""

    def __init__(self, changes: str) -> None:
        super().__init__(f"{changes}; {SHARED}")


class ProcessState:
    """The process state at the time of construction.

    more   parts that belong to the caller, such as the inputs
    alone  whether one implementation has the process for itself. It may then change all but
           functions and `more`: its changes are undone, and are no fault
    """

    def __init__(self, *more: Watched, alone: bool = False) -> None:
        self._alone = alone
        self._kept = {id(part) for part in (*functions.WATCHED, *more)}
        self._before = [(part, part.read()) for part in (*WATCHED, *more)]
        self._quick = [(part, before) for part, before in self._before if part.quick]
        self._threads = threads.python_threads()

    @property
    def left_threads(self) -> bool:
        """Whether new threads exist, running or waiting."""
        return bool(threads.python_threads() - self._threads)

    @property
    def replaced_functions(self) -> bool:
        """Whether functions or kernels were replaced: other code may raise because of that."""
        return any(part.change(old) for part, old in self._before if part in functions.WATCHED)

    def changes(self) -> str:
        """The messages of all changes; empty if there are none. Takes about 0.25 ms."""
        found = (self._change(part, before) for part, before in self._before)
        return "; ".join(filter(None, found))

    def verify(self) -> None:
        """Raise DisturbedError if any part has changed."""
        if changes := self.changes():
            raise DisturbedError(changes)

    def verify_quickly(self) -> None:
        """Raise DisturbedError if a part marked `quick` has changed. Takes about 10 us."""
        for part, before in self._quick:
            if change := self._change(part, before):
                raise DisturbedError(change)

    def _change(self, part: Watched, before: Any) -> str:
        """The message of a change that is a fault; others are undone."""
        change = part.change(before)
        if change and self._alone and id(part) not in self._kept:
            if part.restore is not None:
                part.restore(before)
            return ""
        return change

    def restore(self) -> bool:
        """Restore all changed parts; False if a change remains."""
        changed = [(part, before) for part, before in self._before if part.change(before)]
        for part, before in changed:
            if part.restore is not None:
                part.restore(before)
        return not any(part.change(before) for part, before in changed)
