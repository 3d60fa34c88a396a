"""Runs that end early: killed, or stopped with Ctrl-C."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.command_line.program import PROGRAM, SLOW, run_here


def records(store: Path) -> list[tuple[int, str, str]]:
    """The stored records; none while the store is being created."""
    if not store.is_file():
        return []
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("select id, problem, data from records").fetchall()
        except sqlite3.OperationalError:
            return []


def test_a_killed_run_is_resumed_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["run", "--impl", "slow.py", "--seq", "32,48,64", "--heads", "1,2", "--head-dim", "16",
             "--mask", "full", "--sessions", "2", "--threads", "1"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    store = tmp_path / "results" / "bench.db"
    while len(records(store)) < 8 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = records(store)
    assert 8 <= len(kept) < 18
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    resumed = run_here("run", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = records(store)
    assert after[: len(kept)] == kept
    assert len(after) == 6 * 3
    again = run_here("run", "--resume", "latest", "--json", cwd=tmp_path)
    assert again.returncode == 0
    (line,) = again.stdout.splitlines()  # every record is stored: only the line of the run
    assert json.loads(line)["kind"] == "run"
    assert records(store) == after


def test_ctrl_c_keeps_what_was_measured_and_prints_how_to_resume(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["run", "--impl", "slow.py", "--seq", "32,48,64", "--heads", "1,2,4", "--mask", "full",
             "--threads", "1"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    store = tmp_path / "results" / "bench.db"
    try:
        while process.poll() is None and len(records(store)) <= 2:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "run_bench.py run --resume quick-" in said
    assert "Traceback" not in said
