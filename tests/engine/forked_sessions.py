"""Sessions for tests that fork from a process which has imported torch: 0.1 s instead of 4 s.

They are processes of their own, with the program of a session. Their imports alone are shared.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final, Self, cast
from unittest import mock

import torch

from suites.engine import local_session

PROGRAM: Final = Path(__file__).with_name("session_server.py")
SESSION: Final = "suites.session"
"""A word of the command line of sessions, by which `tests/stand_in/on_path` recognises them."""
PR_SET_CHILD_SUBREAPER: Final = 36
"""From linux/prctl.h."""
MOST_SERVERS: Final = 3
"""Servers that are kept; each holds some 200 MB."""
LATE: Final = ("COLUMNS", "PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR")
"""Variables that no import reads: sessions that differ in them have one server."""

Key = frozenset[tuple[str, str]]


class Server:
    """A process that forks sessions; its variables are those that an import may read."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(theirs.fileno()), SESSION],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )

    def fork(self, asked: dict[str, Any], descriptors: Sequence[int]) -> int:
        """The id of a new session, which becomes a child of this process."""
        _adopt_orphans(True)
        try:
            socket.send_fds(self._control, [json.dumps(asked).encode()], descriptors)
            return int(self._control.recv(64))
        finally:
            _adopt_orphans(False)

    def end(self) -> None:
        self._control.close()
        self.process.kill()
        self.process.wait()


class Servers:
    """The servers of a test process, the last used ones."""

    def __init__(self) -> None:
        self._made: dict[Key, Server] = {}

    def fork(self, environment: dict[str, str], descriptors: Sequence[int]) -> int:
        """Fork a session from the server with its variables, which is started if need be."""
        key = frozenset(item for item in environment.items() if item[0] not in LATE)
        server = self._made.pop(key, None)
        if server is None:
            while len(self._made) >= MOST_SERVERS:
                self._made.pop(next(iter(self._made))).end()
            server = Server(environment)
        self._made[key] = server
        return server.fork({"environment": environment, "folder": str(Path.cwd())}, descriptors)

    def pids(self) -> list[int]:
        return [server.process.pid for server in self._made.values()]

    def end(self) -> None:
        while self._made:
            self._made.popitem()[1].end()


SERVERS: Final = Servers()


class ForkedSession:
    """Stands in for the Popen of a session."""

    def __init__(
        self, words: list[str], *, pass_fds: tuple[int, ...], env: dict[str, str], **_: object
    ) -> None:
        reads, writes = os.pipe()
        try:
            self.pid = SERVERS.fork(env, (*pass_fds, writes))
        finally:
            os.close(writes)
        self.stdout = os.fdopen(reads, "rb", buffering=0)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; a session waits after it has killed the process."""
        if self.returncode is None:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    @classmethod
    def of(cls, words: list[str], **settings: Any) -> Self | subprocess.Popen[bytes]:
        """A forked session; a process of its own for another interpreter than this one."""
        if words[0] != sys.executable:
            return cast("subprocess.Popen[bytes]", subprocess.Popen(words, **settings))
        return cls(words, **settings)


@contextmanager
def forked_sessions() -> Iterator[None]:
    """Sessions that start within this context are forked."""
    replaced = SimpleNamespace(
        Popen=ForkedSession.of,
        DEVNULL=subprocess.DEVNULL,
        PIPE=subprocess.PIPE,
        STDOUT=subprocess.STDOUT,
        TimeoutExpired=subprocess.TimeoutExpired,
    )
    with mock.patch.object(local_session, "subprocess", replaced):
        yield


@contextmanager
def forked_where_possible(module: ModuleType) -> Iterator[None]:
    """Sessions of the tests of a module are forked.

    A module with FRESH_SESSIONS tests how a session starts: its sessions start as for a user.
    Beside a GPU all do.
    """
    if getattr(module, "FRESH_SESSIONS", False) or torch.cuda.is_available():
        yield
        return
    with forked_sessions():
        yield


def _adopt_orphans(adopts: bool) -> None:  # noqa: FBT001 - as prctl has it
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
