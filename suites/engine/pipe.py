"""The pipes between a run and its sessions: one JSON object a line, and shared memory for turns."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator, MutableSequence
from typing import Final

from suites.engine.messages import MESSAGE, Made, Message, TakeTurns
from suites.engine.protocol import TASK, Task
from suites.records.codec import from_json, to_json

MOST_BYTES: Final = 64 << 20
"""A longer line is not a message."""
MOST_CHARACTERS: Final = 300
"""Characters quoted of text that is not the program's own."""
TURN_BYTES: Final = 2
"""Shared with the parent: the number of the arm at work, from 1; 0 is none."""
_TERMINAL_CODE: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class PipeError(ValueError):
    """Something else than messages came through the pipe."""


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text as a single line that any terminal can show, cut to `most` characters."""
    plain = _TERMINAL_CODE.sub("", text[: 10 * most])
    shown = "".join(each if each.isprintable() else " " for each in plain)
    return " ".join(shown.split())[:most]


def encoded(task: Task) -> bytes:
    """A task as one line."""
    return to_json(task, TASK).encode() + b"\n"


def decoded(line: str) -> Task:
    """The task of a line."""
    task: Task = from_json(TASK, line)
    return task


class Turns:
    """Which arm is at work, in memory that the parent reads when it wants to know.

    A message at each of thousands of samples would wake the parent on cores that are measured.
    """

    def __init__(self, shared: MutableSequence[int] | mmap.mmap) -> None:
        self.latest: int | None = None
        self._shared, self._owner = shared, os.getpid()

    def announce(self, index: int) -> None:
        """This arm is at work from now on. A forked copy of the process ends here instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        self.latest = index
        self._shared[0], self._shared[1] = (index + 1) & 255, (index + 1) >> 8

    def rest(self) -> None:
        """None is at work until the next turn."""
        self.latest = None
        self._shared[0] = self._shared[1] = 0


class Sender:
    """Writes messages; a process that an implementation forked writes none.

    shared  memory in which the parent reads which arm is at work
    """

    def __init__(
        self, descriptor: int, shared: MutableSequence[int] | mmap.mmap | None = None
    ) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()
        self._shared = bytearray(TURN_BYTES) if shared is None else shared
        self._records = True

    def without_records(self) -> Sender:
        """A sender to the same pipe that leaves records out."""
        found = Sender(self._descriptor, self._shared)
        found._records = False
        return found

    def turns(self, message: TakeTurns) -> Turns:
        """Implementations take turns from now on; none is at work yet."""
        self._shared[0] = self._shared[1] = 0
        self.send(message)
        return Turns(self._shared)

    def send(self, message: Message) -> None:
        """Write one message. A forked copy of the process ends here instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        if isinstance(message, Made) and not self._records:
            return
        data = to_json(message, MESSAGE).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]


class Receiver:
    """Turns the bytes that arrive into messages, whole lines only."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages completed by these bytes. Raises PipeError for anything else."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            raise PipeError(f"a line of more than {MOST_BYTES} bytes")
        for line in lines:
            yield _message(line)


def _message(line: bytes) -> Message:
    try:
        message: Message = from_json(MESSAGE, line)
    except ValueError as error:
        raise PipeError(f"a line that is not a message: {error}") from None
    return message
