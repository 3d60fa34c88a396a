"""Sessions on this machine: fresh processes that are started, watched and, when needed, killed."""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import psutil

from suites.engine.messages import TURN_BYTES, GarbledError, Receiver, one_line
from suites.engine.watch import Ending, Watch
from suites.measure.allocator import settings

ROOT: Final = Path(__file__).resolve().parents[2]
LOOK_EVERY_S: Final = 0.1
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
OUTPUT_KEPT: Final = 64 << 10
DRAINED: Final = 256
"""Reads of what a process that is gone has printed: one that it left may print for ever."""
PROFILER_CHATTER: Final = ("USDT:", "Memory block of unknown size was allocated")
"""Parts of the lines that torch's profiler prints when it starts, stops, and misses something."""


class Session:
    """A fresh process that answers tasks. Use it as a context manager; it never outlives that."""

    def __init__(self, watch: Watch, *, threads: int, allocator: str = "default") -> None:
        self.watch = watch
        self._output = b""
        self._receiver = Receiver()
        tasks, self._tasks = os.pipe()
        self._messages, messages = os.pipe()
        with tempfile.TemporaryFile() as file:
            file.truncate(TURN_BYTES)
            self._turn = mmap.mmap(file.fileno(), TURN_BYTES)
            turn = os.dup(file.fileno())
        self._turns: tuple[str, list[str]] | None = None
        self._risk = ""
        handed = (tasks, messages, turn)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module under our own Python
                [sys.executable, "-P", "-m", "suites.session", *map(str, handed)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=handed,
                env={**environment(threads), **settings(allocator)},
                start_new_session=True,
            )
        finally:
            for descriptor in handed:
                os.close(descriptor)
        if self._process.stdout is None:
            raise RuntimeError("a session without its output pipe")
        self._stdout = self._process.stdout.fileno()
        self._open = [self._messages, self._stdout]
        watch.started(time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, task: dict[str, Any], receive: Callable[[dict[str, Any]], None]) -> Ending | None:
        """Hand over a task and pass on its messages; None when answered, else why it died."""
        self.watch.started(time.monotonic())
        with suppress(BrokenPipeError):
            os.write(self._tasks, json.dumps(task).encode() + b"\n")
        looked = time.monotonic()
        while True:
            try:
                if self._listen(receive):
                    return None
            except GarbledError as error:
                self._look_whose_turn()
                self.end()
                return Ending("crashed", f"wrote over the engine's own pipe: {error}")
            now = time.monotonic()
            if now - looked >= LOOK_EVERY_S:
                looked = now
                self._look_whose_turn()
                if ending := self.watch.ending(now, self._resident_bytes()):
                    self.end()
                    return ending
            if self._process.poll() is not None and not self._pending():
                self._look_whose_turn()
                return self._death()

    def end(self) -> None:
        """Kill the process with everything it started, and close the pipes."""
        if self._tasks < 0:
            return
        for child in _descendants(self._process.pid):
            with suppress(psutil.Error):
                child.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._drain_output()
        os.close(self._tasks)
        os.close(self._messages)
        if self._process.stdout:
            self._process.stdout.close()
        self._turn.close()
        self._tasks = -1

    def _listen(self, receive: Callable[[dict[str, Any]], None]) -> bool:
        """Take what has arrived within a tenth of a second; True when the task is answered."""
        ready, _, _ = select.select(self._open, [], [], LOOK_EVERY_S)
        if self._stdout in ready:
            self._keep_output()
        if self._messages not in ready:
            return False
        data = os.read(self._messages, 1 << 16)
        if not data:
            self._open.remove(self._messages)
        for message in self._receiver.feed(data):
            if message["kind"] == "answered":
                self._turns = None
                self.watch.rests(time.monotonic())
                return True
            self._note(message)
            receive(message)
        return False

    def _note(self, message: dict[str, Any]) -> None:
        now = time.monotonic()
        self._turns = None
        if message["kind"] == "turns":
            self._turns = (message["problem"], message["implementations"])
            self.watch.rests(now)
        elif message["kind"] == "begin":
            place = (message["problem"], message["implementation"])
            self.watch.begins(*place, now, self._resident_bytes())
        elif message["kind"] in ("record", "rest"):
            self.watch.rests(now)
        self._risk = message["reason"] if message["kind"] == "risk" else ""

    def _look_whose_turn(self) -> None:
        """Have the watch know who is at work while implementations take turns."""
        number = int.from_bytes(self._turn[:TURN_BYTES], "little")
        if self._turns is None or not number:
            return
        place = (self._turns[0], self._turns[1][number - 1])
        if self.watch.at_work != place:
            self.watch.begins(*place, time.monotonic(), self._resident_bytes())

    def _pending(self) -> bool:
        """Whether messages of a process that is gone are still to be read."""
        if self._messages not in self._open:
            return False
        return bool(select.select([self._messages], [], [], 0)[0])

    def _keep_output(self) -> None:
        data = os.read(self._stdout, 1 << 16)
        if not data:
            self._open.remove(self._stdout)
        self._output = (self._output + data)[-OUTPUT_KEPT:]

    def _drain_output(self) -> None:
        for _ in range(DRAINED):
            if self._stdout in self._open and select.select([self._stdout], [], [], 0)[0]:
                self._keep_output()

    def _resident_bytes(self) -> int:
        """Read straight from the system: this happens while the other process is being timed."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except OSError:
            return 0  # it is gone, and will be noticed; or this system tells none
        return int(pages) * PAGE_BYTES

    def _death(self) -> Ending:
        """Why it died by itself: of a risk that was announced, or of what nobody foresaw."""
        if self._risk and -(self._process.returncode or 0) in (signal.SIGSEGV, signal.SIGBUS):
            return Ending("wrong", self._risk)
        return Ending("crashed", self._last_words())

    def _last_words(self) -> str:
        """How the process ended, and the last line it printed."""
        self._drain_output()
        code = self._process.returncode
        how = f"ended with status {code} before it answered"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        text = self._output.decode(errors="replace").splitlines()
        theirs = (x for x in reversed(text) if not any(part in x for part in PROFILER_CHATTER))
        said = next((f"; its last line: {x}" for x in map(one_line, theirs) if x), "")
        return f"the process {how}{said}"


def environment(threads: int) -> dict[str, str]:
    """The environment of a session: this program comes first on its path, OpenMP threads are bound.

    Unbound, two threads were seen spinning on one CPU, and small calls took hundreds of times
    as long. By default thread number i is bound to the i-th CPU. OMP_PLACES changes that: runs at
    the same time need other CPUs each, as OMP_PLACES={2},{3}. It needs a place for every thread.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "true",
    }


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
