"""Hardware counters of a call, by `perf stat` of Linux.

perf attaches to all threads of this process, and to the threads that these start later, so workers
of OpenMP count. It starts with its counters off. Commands through a socket turn them on before the
calls and off after them, so only the calls are counted, with some 50 us of this file's own work.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suites.measure.perf_output import EVENTS, counts, message
from suites.measure.timing import Call
from suites.records.perf_counters import PerfCounters

LIMIT_S: Final = 10.0
"""Longest time, s, until perf answers a command. On an idle machine it takes 0.03 s to attach."""
PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
USER_ONLY: Final = 2
"""Highest level of kernel.perf_event_paranoid at which Linux lets a user count own processes; at
this level only outside of the kernel. Distributions add levels 3 and 4, which forbid all."""
_UNREAD: Final = "hardware counters were not read"
NOT_INSTALLED: Final = (
    f"{_UNREAD}: perf is not installed; install the package linux-perf (Debian), "
    "linux-tools-$(uname -r) (Ubuntu) or perf (Fedora)"
)
NOT_LINUX: Final = f"{_UNREAD}: perf counts on Linux only"
_DENIALS: Final = ("perf_event_paranoid", "permission", "not permitted")
"""Words of perf's messages about permissions."""


class _NoAnswerError(Exception):
    """perf did not answer; the text is the reason."""


def read(call: Call, calls: int, *, limit_s: float = LIMIT_S) -> PerfCounters:
    """The counts of one call: the mean of `calls` calls. A reason where perf does not count.

    limit_s  for each answer of perf, in seconds

    An error of the call itself is raised.
    """
    if sys.platform != "linux":
        return PerfCounters(reason=NOT_LINUX)
    program = shutil.which("perf")
    if program is None:
        return PerfCounters(reason=NOT_INSTALLED)
    try:
        with _attached(program, limit_s) as perf:
            perf.tell("enable")
            for _ in range(calls):
                call()
            perf.tell("disable")
            return counts(perf.printed(), calls, kernel_setting())
    except _NoAnswerError as reason:
        return PerfCounters(reason=str(reason))


@dataclass(frozen=True, slots=True)
class _Perf:
    """A perf that is attached to this process.

    commands  the socket for commands; perf confirms each of them there
    """

    process: subprocess.Popen[str]
    commands: socket.socket
    limit_s: float

    def tell(self, command: str) -> None:
        """Send a command and wait until perf confirms it."""
        try:
            self.commands.sendall(f"{command}\n".encode())
            answer = self.commands.recv(64)
        except TimeoutError:
            raise _NoAnswerError(self._hung(f"confirm {command!r}")) from None
        except ConnectionError:
            answer = b""
        if not answer:
            raise _NoAnswerError(why_not(self._rest("end")))
        if not answer.startswith(b"ack"):
            found = f"perf answered {answer!r} to {command!r}, expected 'ack'"
            raise _NoAnswerError(f"{_UNREAD}: {found}")

    def printed(self) -> str:
        """The text that perf prints at its end."""
        self.process.send_signal(signal.SIGINT)
        return self._rest("print its counts")

    def _rest(self, wanted: str) -> str:
        try:
            return self.process.communicate(timeout=self.limit_s)[1]
        except subprocess.TimeoutExpired:
            raise _NoAnswerError(self._hung(wanted)) from None

    def _hung(self, wanted: str) -> str:
        return f"{_UNREAD}: perf did not {wanted} within {self.limit_s:g} s and was stopped"


@contextmanager
def _attached(program: str, limit_s: float) -> Iterator[_Perf]:
    """perf, attached to this process, with its counters off."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(limit_s)
        with theirs:
            process = _started(program, theirs.fileno())
        with process:
            try:
                yield _Perf(process, ours, limit_s)
            finally:
                process.kill()


def _started(program: str, commands: int) -> subprocess.Popen[str]:
    words = ("stat", "-x,", "-e", ",".join(EVENTS), "-p", str(os.getpid()), "-D", "-1")
    try:
        return subprocess.Popen(  # noqa: S603 - fixed words, and perf as found on PATH
            [program, *words, f"--control=fd:{commands},{commands}"],
            pass_fds=(commands,),
            env={**os.environ, "LC_ALL": "C"},  # a decimal point, and messages in English
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise _NoAnswerError(f"{_UNREAD}: {program} cannot be started: {error}") from None


def kernel_setting(path: Path = PARANOID) -> int | None:
    """The level of kernel.perf_event_paranoid; None where it cannot be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def why_not(printed: str) -> str:
    """The reason why perf ended before it counted, from its messages."""
    if any(word in printed.lower() for word in _DENIALS):
        return not_permitted(kernel_setting())
    return f"{_UNREAD}: perf ended before it counted and printed {message(printed)!r}"


def not_permitted(setting: int | None) -> str:
    """The sentence for a user without the permission, by kernel.perf_event_paranoid."""
    level = "cannot be read" if setting is None else f"is {setting}"
    start = f"{_UNREAD}: not permitted; kernel.perf_event_paranoid {level}"
    if setting is not None and setting <= USER_ONLY:
        return (
            f"{start}, which permits it, so something else forbids it, such as the sandbox of a "
            "container; permit it there with: docker run --cap-add PERFMON"
        )
    return f"{start}; permit it with: sudo sysctl kernel.perf_event_paranoid=1"
