"""The state of this process: recorded before an implementation runs, verified afterwards.

Several implementations are measured in one process, so each must leave its state unchanged.
Additions are normal and are no change: new modules, environment variables, `sys.path` entries,
descriptors, waiting threads, callbacks of the garbage collection, and torch's own patches when it
first compiles.
"""

from __future__ import annotations

from typing import Final

from suites.process_state import functions, python, system, threads, torch_settings
from suites.process_state.watched import Watched

SHARED: Final = "leave the process state unchanged: other implementations share this process"
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

    more  parts that belong to the caller, such as the inputs
    """

    def __init__(self, *more: Watched) -> None:
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
        return "; ".join(filter(None, (part.change(before) for part, before in self._before)))

    def verify(self) -> None:
        """Raise DisturbedError if any part has changed."""
        if changes := self.changes():
            raise DisturbedError(changes)

    def verify_quickly(self) -> None:
        """Raise DisturbedError if a part marked `quick` has changed. Takes about 10 us."""
        for part, before in self._quick:
            if change := part.change(before):
                raise DisturbedError(change)

    def restore(self) -> bool:
        """Restore all changed parts; False if a change remains."""
        changed = [(part, before) for part, before in self._before if part.change(before)]
        for part, before in changed:
            if part.restore is not None:
                part.restore(before)
        return not any(part.change(before) for part, before in changed)
