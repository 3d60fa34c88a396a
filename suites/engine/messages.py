"""How parent and session speak: one JSON object a line, over pipes of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 64 << 20
"""A line longer than this is no message of ours."""


class GarbledError(ValueError):
    """Something else than our messages came through the pipe."""


class Sender:
    """Writes messages; a process forked off by an implementation writes nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()

    def send(self, kind: str, **fields: Any) -> None:
        """Write one message. A forked copy of this process ends here instead."""
        if os.getpid() != self._owner:
            os._exit(0)
        data = json.dumps({"kind": kind, **fields}).encode() + b"\n"
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
