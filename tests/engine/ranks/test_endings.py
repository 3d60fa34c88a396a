"""The messages for ranks that died, raised an exception, or hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from suites.engine.ranks import endings
from suites.engine.ranks.messages import Reply


def test_equal_faults_of_all_ranks_are_said_once_and_keep_the_group() -> None:
    faults = {rank: Reply(fault="ValueError: even sizes only") for rank in range(4)}
    error = endings.raised(faults, 4, ended=False)
    assert str(error) == "all 4 ranks: ValueError: even sizes only"
    assert (error.status, error.cause, error.ended) == ("failed", "exception", False)


def test_too_little_memory_of_one_rank_is_out_of_memory() -> None:
    error = endings.raised({2: Reply(fault="MemoryError", memory=True)}, 4, ended=True)
    assert (error.status, error.cause, error.ended) == ("out_of_memory", "memory_limit", True)


def test_of_ranks_that_ended_together_the_killed_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "output1").write_text("before\nthe last words\n")
    codes = {
        0: "raise SystemExit(1)",
        1: "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    }
    ended = {
        rank: subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.DEVNULL)
        for rank, code in codes.items()
    }
    for process in ended.values():
        process.wait()
    error = endings.died(ended, 2, tmp_path)
    assert str(error) == "rank 1 of 2 died: killed by SIGKILL; its last line: the last words"


def test_a_process_that_writes_no_stack_is_named_with_its_state(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        error = endings.hung({1: process.pid}, 2, tmp_path, 48.0)
        process.kill()
    assert "rank 1 of 2 did not finish within 48 s" in str(error)
    assert "its process is in state S" in str(error)
    assert str(error).endswith("rank 0 finished")
