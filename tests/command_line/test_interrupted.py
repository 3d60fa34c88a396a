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

from tests.command_line.program import PROGRAM, SLOW, start


def test_a_killed_run_is_resumed_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["run", "--impl", "slow.py", "--seq", "32,48,64", "--heads", "1,2", "--head-dim", "16",
             "--mask", "full", "--sessions", "2"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    store = tmp_path / "results" / "bench.db"

    def rows() -> list[tuple[int, str, str]]:
        if not store.is_file():
            return []
        try:
            connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
            return connection.execute("select id, problem, data from records").fetchall()
        except sqlite3.OperationalError:
            return []  # being made just now

    while len(rows()) < 8 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = rows()
    assert 8 <= len(kept) < 18
    assert sqlite3.connect(store).execute("pragma integrity_check").fetchone() == ("ok",)
    resumed = start("run", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    after = rows()
    assert after[: len(kept)] == kept
    assert len(after) == 6 * 3
    again = start("run", "--resume", "latest", "--json", cwd=tmp_path)
    assert again.returncode == 0
    (line,) = again.stdout.splitlines()  # nothing is left to measure: the run alone
    assert json.loads(line)["kind"] == "run"
    assert rows() == after


def count_records(store: Path) -> int:
    """How many records a store holds; none while it is not made."""
    if not store.is_file():
        return 0
    with closing(sqlite3.connect(store)) as connection:
        try:
            return int(connection.execute("select count(*) from records").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_ctrl_c_keeps_what_was_measured_and_prints_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["run", "--impl", "slow.py", "--seq", "32,48,64", "--heads", "1,2,4", "--mask", "full"]
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    store = tmp_path / "results" / "bench.db"
    try:
        while process.poll() is None and count_records(store) <= 2:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "finish with: python run_bench.py run --resume quick-" in said
    assert "Traceback" not in said
