"""A process that has imported what a session imports, and forks sessions.

Started as `python -P session_server.py CONTROL`, with the descriptor of a socket. Each request is
one message: JSON with the variables and the folder of the session, and four descriptors: tasks,
messages, turn, output. The response is the process id. A session is no child of this process: a
second fork leaves it to the program that asked, which waits for it.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from typing import Any

from suites import session
from suites.engine.messages import MESSAGE, Answered
from suites.engine.pipe import decoded, encoded
from suites.engine.protocol import Wait
from suites.records.codec import to_json

MESSAGE_BYTES = 1 << 20


def main() -> None:
    """Fork a session for each request, until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)  # as a session does while it imports
    with session._on_any_cpu():
        session._work()
        from suites.engine import waking  # noqa: F401 - a session imports it
        from suites.measure import precision  # noqa: F401 - likewise

        to_json(Answered(), MESSAGE)  # builds the validators of messages, in 0.4 s
        decoded(encoded(Wait()).decode())
        if "ATTNBENCH_STAND_IN" in os.environ:
            import torch._dynamo  # noqa: F401 - the first call of the stand-in imports it
    gc.set_threshold(*usual)
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
        if not text:
            return
        if not (pid := _forked()):
            control.close()
            _become(json.loads(text), *descriptors)
            session.main()
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(pid).encode())


def _forked() -> int:
    """The id of a new process that has lost its parent; 0 in that process."""
    reads, writes = os.pipe()
    if middle := os.fork():
        os.close(writes)
        with os.fdopen(reads) as source:
            pid = int(source.read())
        os.waitpid(middle, 0)
        return pid
    os.close(reads)
    if pid := os.fork():
        os.write(writes, str(pid).encode())
        os._exit(0)
    os.close(writes)
    return 0


def _become(asked: dict[str, Any], tasks: int, messages: int, turn: int, output: int) -> None:
    """Give this process the streams, variables, folder and arguments of a session."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = ["suites.session", str(tasks), str(messages), str(turn)]


if __name__ == "__main__":
    main()
