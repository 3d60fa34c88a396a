"""Tasks of several processes at the same time, as the parent waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from suites.engine.pools import DONE, Receive, Session
from suites.engine.protocol import Task
from suites.engine.watch import Ending

LISTEN_S: Final = 0.05
"""Seconds that the parent waits for each of several processes in turn."""


class Ended(NamedTuple):
    """The process that ended before its task was done, and how."""

    process: str
    ending: Ending


def ask_together(asked: Mapping[str, tuple[Session, Task]], receive: Receive) -> Ended | None:
    """Have processes do a task each, at the same time; None when all are done.

    asked  by the name of the process

    The first process that ends stops the wait: the others wait for it, and do not end their tasks.
    """
    if len(asked) == 1:
        ((name, (session, task)),) = asked.items()
        ending = session.ask(task, receive)
        return Ended(name, ending) if ending else None
    for session, task in asked.values():
        session.give(task)
    waiting = {name: session for name, (session, _) in asked.items()}
    while waiting:
        for name, session in list(waiting.items()):
            found = session.listen(receive, LISTEN_S)
            if found == DONE:
                del waiting[name]
            elif isinstance(found, Ending):
                return Ended(name, found)
    return None
