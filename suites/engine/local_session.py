"""Sessions on this machine: fresh processes that are started, watched and killed if need be."""

from __future__ import annotations

import mmap
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self, cast

import psutil

from suites.engine.messages import Answered, Begin, Made, Message, Prepares, Rest, Risk, TakeTurns
from suites.engine.pipe import TURN_BYTES, PipeError, Receiver, encoded, one_line
from suites.engine.pools import DONE, WORKING, Progress, Receive
from suites.engine.protocol import Task
from suites.engine.visible_devices import visible
from suites.engine.watch import Ending, Watch
from suites.measure.allocator import settings

ROOT: Final = Path(__file__).resolve().parents[2]
LOOK_EVERY_S: Final = 0.1
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
OUTPUT_KEPT: Final = 64 << 10
KILL_LIMIT_S: Final = 30.0
"""Seconds to wait for the end of a killed process. A driver frees a device within a few."""
MOST_READS: Final = 256
"""Reads of the output of a process that ended: one that it started may print for ever."""
PROFILER_OUTPUT: Final = ("USDT:", "Memory block of unknown size was allocated")
"""Parts of lines that torch's profiler prints; they are not the last words of an implementation."""


class Session:
    """A fresh process that does tasks. Use it as a context manager; it never outlives that.

    folder       for code that implementations compile; "": none of its own
    cuda_device  the NVIDIA device, as an index or a UUID; "": all that are visible here
    python       the interpreter
    """

    def __init__(
        self,
        watch: Watch,
        *,
        threads: int,
        allocator: str = "default",
        folder: str = "",
        cuda_device: str = "",
        python: str = sys.executable,
    ) -> None:
        self.watch = watch
        self._output = b""
        self._receiver = Receiver()
        tasks, self._tasks = os.pipe()
        self._messages, messages = os.pipe()
        with tempfile.TemporaryFile() as file:
            file.truncate(TURN_BYTES)
            self._turn = mmap.mmap(file.fileno(), TURN_BYTES)
            turn = os.dup(file.fileno())
        self._turns: TakeTurns | None = None
        self._risk = ""
        self._looked_s = time.monotonic()
        handed = (tasks, messages, turn)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module under our own Python
                [python, "-P", "-m", "suites.session", *map(str, handed)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=handed,
                env={
                    **compiling(folder),
                    **environment(threads, cuda_device),
                    **settings(allocator),
                },
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

    def ask(self, task: Task, receive: Receive) -> Ending | None:
        """Do a task and pass on its messages; None when done, else how the process ended."""
        self.give(task)
        while (found := self.listen(receive)) == WORKING:
            pass
        return None if found == DONE else cast("Ending", found)

    def give(self, task: Task) -> None:
        """Begin a task; `listen` says when it is done."""
        self.watch.started(time.monotonic())
        self._looked_s = time.monotonic()
        with suppress(BrokenPipeError):
            os.write(self._tasks, encoded(task))

    def listen(self, receive: Receive, within_s: float = LOOK_EVERY_S) -> Progress:
        """Pass on the messages that arrive within some seconds: working, done, or its end."""
        try:
            if self._listen(receive, within_s):
                return DONE
        except PipeError as error:
            self._note_turn()
            self.end()
            reason = f"wrote to the session's pipe: {error}"
            return Ending("crashed", "pipe_overwritten", reason)
        now = time.monotonic()
        if now - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now
            self._note_turn()
            if ending := self.watch.ending(now, self._resident_bytes()):
                self.end()
                return self._ended(ending)
        if self._process.poll() is not None and not self._pending():
            self._note_turn()
            return self._death()
        return WORKING

    def end(self) -> None:
        """Kill the process with everything it started, and close the pipes.

        Within a call of a driver a process does not end before the call does, so that the wait for
        it has a limit: a hanging kernel may hold it for ever.
        """
        if self._tasks < 0:
            return
        for child in _descendants(self._process.pid):
            with suppress(psutil.Error):
                child.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_LIMIT_S)
        self._drain_output()
        os.close(self._tasks)
        os.close(self._messages)
        if self._process.stdout:
            self._process.stdout.close()
        self._turn.close()
        self._tasks = -1

    def _ended(self, ending: Ending) -> Ending:
        """How the process was ended; its reason says where it still exists."""
        if self._process.poll() is not None:
            return ending
        held = f"its process {self._process.pid} still exists {KILL_LIMIT_S:g} s after SIGKILL"
        return replace(ending, reason=f"{ending.reason}; {held}")

    def _listen(self, receive: Receive, within_s: float) -> bool:
        """Pass on what arrives within some seconds; True when the task is done."""
        ready, _, _ = select.select(self._open, [], [], within_s)
        if self._stdout in ready:
            self._keep_output()
        if self._messages not in ready:
            return False
        data = os.read(self._messages, 1 << 16)
        if not data:
            self._open.remove(self._messages)
        for message in self._receiver.feed(data):
            if isinstance(message, Answered):
                self._turns = None
                self.watch.rests(time.monotonic())
                return True
            self._note(message)
            receive(message)
        return False

    def _note(self, message: Message) -> None:
        """Keep which implementation is at work, and what it risks."""
        now = time.monotonic()
        if isinstance(message, Prepares):  # within a turn, and within what is risked
            self.watch.prepares(now, begins=message.begins)
            return
        self._turns = message if isinstance(message, TakeTurns) else None
        if isinstance(message, Begin):
            work = (message.problem, message.implementation)
            self.watch.begins(work, now, self._resident_bytes())
        elif isinstance(message, (TakeTurns, Made, Rest)):
            self.watch.rests(now)
        self._risk = message.reason if isinstance(message, Risk) else ""

    def _note_turn(self) -> None:
        """Update the watch with the implementation at work while several take turns."""
        number = int.from_bytes(self._turn[:TURN_BYTES], "little")
        if self._turns is None:
            return
        if not number:  # another process has its turn
            self.watch.rests(time.monotonic())
            return
        work = (self._turns.problem, self._turns.implementations[number - 1])
        if self.watch.at_work != work:
            self.watch.begins(work, time.monotonic(), self._resident_bytes())

    def _pending(self) -> bool:
        """Whether messages of a process that ended are still to be read."""
        if self._messages not in self._open:
            return False
        return bool(select.select([self._messages], [], [], 0)[0])

    def _keep_output(self) -> None:
        data = os.read(self._stdout, 1 << 16)
        if not data:
            self._open.remove(self._stdout)
        self._output = (self._output + data)[-OUTPUT_KEPT:]

    def _drain_output(self) -> None:
        for _ in range(MOST_READS):
            if self._stdout in self._open and select.select([self._stdout], [], [], 0)[0]:
                self._keep_output()

    def _resident_bytes(self) -> int:
        """Resident memory, by one read of one file: the process is being timed meanwhile."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except OSError:
            return 0  # the process has ended, or this system has no such file
        return int(pages) * PAGE_BYTES

    def _death(self) -> Ending:
        """How the process ended by itself: by the risk that was announced, or by anything else."""
        if self._risk and -(self._process.returncode or 0) in (signal.SIGSEGV, signal.SIGBUS):
            return Ending("wrong", "wrote_read_only", self._risk)
        return Ending("crashed", "process_died", self._last_words())

    def _last_words(self) -> str:
        """How the process ended, and the last line it printed."""
        self._drain_output()
        code = self._process.returncode
        how = f"ended with status {code} before its task was done"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        text = self._output.decode(errors="replace").splitlines()
        own = (x for x in reversed(text) if not any(part in x for part in PROFILER_OUTPUT))
        last = next((f"; its last line: {x}" for x in map(one_line, own) if x), "")
        return f"the process {how}{last}"


def environment(threads: int, cuda_device: str = "") -> dict[str, str]:
    """The environment of a session: this program found first, OpenMP threads counted and bound.

    Unbound, two threads were seen spinning on one CPU, and small calls took hundreds of times
    as long. By default thread number i is bound to the i-th CPU. OMP_PLACES changes that: runs at
    the same time need other CPUs each, as OMP_PLACES={2},{3}. It needs a place for every thread.
    A chosen NVIDIA device is the only one that the session sees.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {
        **os.environ,
        **visible(cuda_device),
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": str(threads),
        "OMP_PROC_BIND": "true",
    }


def compiling(folder: str) -> dict[str, str]:
    """Variables of torch's compiler; values that the user has set win.

    folder  keeps compiled code, so that timed sessions find what the check compiled; "": torch's
            own folder, which other runs use as well

    The compiler works in the process itself: its pool of processes would run beside timed calls.
    Without a C compiler, torch 2.13 raises in every matrix product that it compiles by triton, so
    these kernels are switched off (torch/_native/common_utils.py).
    """
    kept = {"TORCHINDUCTOR_CACHE_DIR": folder} if folder else {}
    native = {} if has_c_compiler() else {"TORCH_DISABLE_NATIVE_JIT": "1"}
    return {**kept, **native, "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def has_c_compiler() -> bool:
    """Whether triton finds one: the variable CC, gcc or clang."""
    return bool(os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang"))


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
