"""Output that cannot be written is one line on stderr, and the run stays stored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.program import PROGRAM, RIGHT, start

RUN = ("run", "--impl", "mine.py", "--problem", "h2 t64 d16", "--sessions", "1", "--threads", "1")
FULL = Path("/dev/full")


def in_shell(
    words: tuple[str, ...], redirection: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run the program with streams that a shell redirects."""
    line = f'exec "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", sys.executable, str(PROGRAM), *words],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def redirections() -> list[str]:
    return [">&-", *([f"> {FULL}"] if FULL.exists() else [])]


@pytest.mark.parametrize("redirection", redirections())
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("list", "suites", "--json")])
def test_a_list_that_cannot_be_written_is_one_line_and_status_2(
    words: tuple[str, ...], redirection: str, tmp_path: Path
) -> None:
    ended = in_shell(words, redirection, tmp_path)
    why = "it is closed" if redirection == ">&-" else "No space left on device"
    assert ended.returncode == 2
    assert ended.stderr == f"attnbench: standard output cannot be written: {why}\n"


@pytest.mark.parametrize("redirection", redirections())
def test_a_run_that_cannot_be_printed_is_stored(redirection: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    ended = in_shell(RUN, redirection, tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("attnbench: standard output cannot be written: ")
    assert ended.stderr.count("\n") == 1
    (run,) = json.loads(start("list", "runs", "--json", cwd=tmp_path).stdout)
    assert f"; run {run['name']} is stored, its page is results/" in ended.stderr
    assert run["records"] == 2
    assert run["ended"]


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_run_whose_lines_cannot_be_written_stops_and_can_be_finished(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    ended = in_shell((*RUN, "--json"), f"> {FULL}", tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.endswith("finish with: python run_bench.py run --resume\n")
    assert ended.stderr.count("\n") == 1
    resumed = start("run", "--resume", "--json", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    (run,) = json.loads(start("list", "runs", "--json", cwd=tmp_path).stdout)
    assert run["records"] == 2


def test_closed_input_and_error_streams_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    ended = in_shell(RUN, "<&- 2>&-", tmp_path)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "report.html" in ended.stdout
    mistaken = in_shell(("run", "--seq", "0"), "<&- 2>&-", tmp_path)
    assert (mistaken.returncode, mistaken.stdout) == (2, "")


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "list", "suites", "--json"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()
    assert (process.returncode, said) == (1, b"")
