"""A socket between two processes of a session: one line of JSON for each step."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from suites.engine.together.steps import STEP, Step
from suites.records.codec import from_json, to_json

LOOK_AGAIN_S: Final = 0.01
"""Between two tries to reach the process that leads: it may not have begun its task."""
ENDS_S: Final = 60.0
"""The parent ends all processes of a session when one of them died; it takes about a second."""


class Link:
    """One end of the connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._lines = connected.makefile("rwb")
        self._socket = connected

    def send(self, step: Step) -> None:
        """Send a step."""
        with suppress(BrokenPipeError):  # the next `receive` sees it
            self._lines.write(to_json(step, STEP).encode() + b"\n")
            self._lines.flush()

    def receive(self) -> Step:
        """The next step of the other process; blocks until it comes.

        The parent ends this process, too, when the other one has died. Raises RuntimeError when it
        does not.
        """
        line = self._lines.readline()
        if not line:
            time.sleep(ENDS_S)
            raise RuntimeError("another process of this session ended, and this one did not")
        step: Step = from_json(STEP, line)
        return step

    def ask(self, step: Step) -> Step:
        """Send a step; the answer."""
        self.send(step)
        return self.receive()

    def close(self) -> None:
        """Close it."""
        with suppress(BrokenPipeError):
            self._lines.close()
        self._socket.close()


@contextmanager
def listening(address: str, count: int) -> Iterator[list[Link]]:
    """Connections to so many processes, which may begin their tasks later than this one."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(count)
        links = [Link(listener.accept()[0]) for _ in range(count)]
    try:
        yield links
    finally:
        for link in links:
            link.close()
        Path(address).unlink(missing_ok=True)


@contextmanager
def connected(address: str) -> Iterator[Link]:
    """A connection to the process that listens at an address, as soon as it does."""
    with socket.socket(socket.AF_UNIX) as own:
        while True:
            try:
                own.connect(address)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(LOOK_AGAIN_S)
        link = Link(own)
        try:
            yield link
        finally:
            link.close()
