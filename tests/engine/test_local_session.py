"""A session's process: its end, and the variables of its compilers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from suites.engine import local_session
from suites.engine.local_session import Session, compiling, has_c_compiler
from suites.engine.protocol import Wait
from suites.engine.watch import Ending, Watch

FRESH_SESSIONS = True


class Stuck:
    """A process within a call of a driver: SIGKILL does not end it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid, self.stdout, self.returncode = process.pid, process.stdout, None
        self.waits: list[float | None] = []

    def poll(self) -> None:
        """It still exists."""

    def wait(self, timeout: float | None = None) -> int:
        self.waits.append(timeout)
        if timeout is None:
            raise AssertionError("a wait without a limit would hang")
        raise subprocess.TimeoutExpired("session", timeout)


class OverLimit(Watch):
    """A watch that ends its session at the first look."""

    def ending(self, now_s: float, resident_bytes: int) -> Ending:
        return Ending("timed_out", "time_limit", "spent more than 60 s")


def test_a_process_that_sigkill_does_not_end_is_left_with_a_reason() -> None:
    session = Session(OverLimit(time_limit_s=60.0, memory_limit=1 << 40), threads=1)
    process = session._process
    stuck = Stuck(process)
    session._process = stuck  # type: ignore[assignment] # a stand-in

    ending = session.ask(Wait(), lambda _: None)
    process.wait(30)
    assert ending is not None
    assert ending.reason.startswith("spent more than 60 s; its process ")
    assert ending.reason.endswith("still exists 30 s after SIGKILL")
    assert stuck.waits == [local_session.KILL_LIMIT_S]


@pytest.mark.parametrize("compiler", ["", "gcc", "clang"])
def test_a_compiler_on_the_path_is_found_as_triton_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler:
        (tmp_path / compiler).touch(mode=0o755)
    assert has_c_compiler() == bool(compiler)
    assert ("TORCH_DISABLE_NATIVE_JIT" in compiling("")) == (not compiler)
    monkeypatch.setenv("CC", "/opt/cc")
    assert has_c_compiler()


def test_the_environment_of_the_user_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("TORCH_DISABLE_NATIVE_JIT", "0")
    made = {**compiling(""), **local_session.environment(1)}
    assert made["TORCH_DISABLE_NATIVE_JIT"] == os.environ["TORCH_DISABLE_NATIVE_JIT"]
