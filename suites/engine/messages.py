"""How parent and session speak: one JSON object a line, over pipes of their own."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator, MutableSequence, Sequence
from typing import Any, Final

MOST_BYTES = 64 << 20
"""A line longer than this is no message of ours."""


MOST_CHARACTERS: Final = 300
"""What is quoted of somebody else's words."""
_TERMINAL_CODE: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """Somebody else's words as a single line that any terminal can show, cut to `most`."""
    plain = _TERMINAL_CODE.sub("", text[: 10 * most])
    shown = "".join(each if each.isprintable() else " " for each in plain)
    return " ".join(shown.split())[:most]


_AS_JSON: Final = json.JSONEncoder().encode
"""Not json.dumps, which an implementation may have replaced."""


class GarbledError(ValueError):
    """Something else than our messages came through the pipe."""


TURN_BYTES = 2
"""What is shared with the parent: the number of the arm at work, from 1; 0 is nobody."""


class Turns:
    """Whose turn it is, in memory that the parent reads when it wants to know.

    A message at each of thousands of samples would wake it, on cores that are being measured.
    """

    def __init__(self, shared: MutableSequence[int] | mmap.mmap) -> None:
        self.latest: int | None = None
        self._shared, self._owner = shared, os.getpid()

    def announce(self, index: int) -> None:
        """It is this arm's turn. A forked copy of this process ends here instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        self.latest = index
        self._shared[0], self._shared[1] = (index + 1) & 255, (index + 1) >> 8


class Sender:
    """Writes messages; a process forked off by an implementation writes nothing.

    shared  memory in which the parent reads whose turn it is
    """

    def __init__(
        self, descriptor: int, shared: MutableSequence[int] | mmap.mmap | None = None
    ) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()
        self._shared = bytearray(TURN_BYTES) if shared is None else shared

    def turns(self, problem: str, implementations: Sequence[str]) -> Turns:
        """From now on these take turns on a problem; nobody's has come yet."""
        self._shared[0] = self._shared[1] = 0
        self.send("turns", problem=problem, implementations=list(implementations))
        return Turns(self._shared)

    def send(self, kind: str, **fields: Any) -> None:
        """Write one message. A forked copy of this process ends here instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        data = _AS_JSON({"kind": kind, **fields}).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]


class Receiver:
    """Turns the bytes that arrive into messages, whole lines only."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages completed by these bytes. Raises GarbledError for anything else."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            raise GarbledError("a message without an end")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError as error:
                raise GarbledError("a line that is not JSON") from error
            if not isinstance(message, dict) or "kind" not in message:
                raise GarbledError("JSON that is no message")
            yield message
