"""A script that is recorded: started as typed, watched to its end, and its calls collected."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from suites.recording import kept_files
from suites.recording.collecting import Collected, collect
from suites.recording.raw_files import has_started
from suites.recording.writing import expect_target, write

WORKLOAD: Final = "workload.jsonl"
SITE: Final = Path(__file__).parent / "site"
_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?")
_PATIENCE_S: Final = 0.5
"""Seconds for an interrupt to end the witness: in a fraction of one where it gets it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A recorded script that has ended.

    status  exit status of the script; 128 and the signal's number where a signal ended it
    found   its workload; None: nothing was recorded
    why     one line where nothing was recorded
    kept    files with tensors
    """

    status: int
    found: Collected | None
    why: str = ""
    kept: tuple[Path, ...] = ()


def record(
    command: Sequence[str], out: Path, *, steps: int | None, keep: int, profiles: bool = False
) -> Ended:
    """Run a command, and write the workload of the Python processes that it starts.

    profiles  whether one step of an optimizer is profiled

    Output, input, exit status and signals of the command stay its own. Raises ValueError for a
    command that cannot be started, before anything runs.
    """
    expect_target(out)
    expect_command(command)
    with tempfile.TemporaryDirectory(prefix="attnbench-record-") as name:
        folder = Path(name)
        code = _run(command, folder, keep, profiles=profiles)
        ended = f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        status = code if code >= 0 else 128 - code
        found = collect(folder, command=shlex.join(command), ended=ended, steps=steps)
        if not found.workload.calls and not found.workload.others:
            why = f"the script failed with {ended}: " if code else ""
            return Ended(status or 2, None, why + _why_nothing(command, folder, found))
        write(found.workload, out)
        return Ended(status, found, kept=kept_files.place(folder, out, keep))


def profile(
    command: Sequence[str], folder: Path, *, steps: int | None, rest: bool = False
) -> Ended:
    """Record a command into a folder, as workload.jsonl; a folder without a workload is removed.

    rest  whether one step is profiled, to see what its other time is spent in

    Raises ValueError like `record`, and for a folder that cannot be made; before anything runs.
    """
    expect_command(command, "profile")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {folder} cannot be made: {error.strerror}") from error
    try:
        return record(command, folder / WORKLOAD, steps=steps, keep=0, profiles=rest)
    finally:
        with suppress(OSError):  # not empty, as it should be
            folder.rmdir()


def named(command: Sequence[str]) -> str:
    """A name of a folder for a recorded command: the script and this moment."""
    plain = re.sub(r"[^\w.-]+", "-", script_of(command).removesuffix(".py")).strip(".-")
    return f"{plain or 'script'}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def script_of(command: Sequence[str]) -> str:
    """The script of a command without its folder, or its module; else the program."""
    for word, after in pairwise((*command, "")):
        if word == "-m":
            return after
        if word.endswith(".py"):
            return Path(word).name
    return Path(command[0]).name if command else ""


def expect_command(command: Sequence[str], verb: str = "record") -> None:
    """Raise ValueError for a command that is missing, or that cannot start Python.

    verb  the command of this program, for the message
    """
    if not command:
        raise ValueError(
            f"no command to {verb}; expected one, as: {verb} -- python my_script.py --its-option"
        )
    program = command[0]
    if program.endswith(".py"):
        raise ValueError(f"{program} is no command; expected: {verb} -- python {program}")
    if shutil.which(program) is None:
        raise ValueError(f"the command {program!r} was not found; expected one that starts Python")
    if _PYTHON.fullmatch(Path(program).name):
        _expect_script(command[1:])


def _expect_script(words: Sequence[str]) -> None:
    """Raise ValueError where Python gets a script that does not exist."""
    rest = iter(words)
    for word in rest:
        if word in ("-W", "-X"):
            next(rest, None)
        elif word in ("-", "-c", "-m") or re.match(r"-[a-zA-Z]*[cm]", word):
            return
        elif not word.startswith("-"):
            if not Path(word).exists():
                raise ValueError(f"the script {word} does not exist; nothing was run")
            return


def _run(command: Sequence[str], folder: Path, keep: int, *, profiles: bool) -> int:
    """Run the command to its end: its exit status, or minus the number of a signal."""
    path = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH", "")]))
    names = {"ATTNBENCH_RECORD": str(folder), "ATTNBENCH_KEEP": str(keep), "PYTHONPATH": path}
    if profiles:
        names["ATTNBENCH_PROFILE"] = "1"
    sys.stdout.flush()
    try:
        process = subprocess.Popen(command, env={**os.environ, **names})  # noqa: S603 - the user's own command
    except OSError as error:
        raise ValueError(f"{command[0]} cannot be started: {error.strerror}") from error
    return _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process; a signal to this one goes on to it, unless it has it already."""
    watched = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
    witness = _witness()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        while process.poll() is None:
            got = signal.sigtimedwait(watched, 0.05)
            if got is None:
                continue
            if got.si_signo != signal.SIGINT or not _has_ended(witness):
                process.send_signal(got.si_signo)
        return process.returncode
    finally:
        _end(witness)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _witness() -> subprocess.Popen[bytes]:
    """A process that an interrupt of the whole group ends, as Ctrl-C in a terminal is.

    The script has got that one, and a second interrupt would cut its handling short.
    """
    command = [sys.executable, "-ISc", "import sys; sys.stdin.read()"]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null)  # noqa: S603


def _has_ended(witness: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        witness.wait(_PATIENCE_S)
    return witness.poll() is not None


def _end(witness: subprocess.Popen[bytes]) -> None:
    witness.kill()
    witness.communicate()


def _why_nothing(command: Sequence[str], folder: Path, found: Collected) -> str:
    if not has_started(folder):
        return (
            f"{command[0]} started no Python process that could be recorded; expected a command "
            "that starts Python without -I, -E and -S"
        )
    compiled = f"; torch.compile was used ({found.compiled[0]})" if found.compiled else ""
    return (
        f"the script made no attention call that is recorded{compiled}; docs/record.md names them"
    )
