"""The program as a user starts it: commands, exit codes, and every mistake in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "run_bench.py"
TINY = ("--seq", "64,96", "--heads", "4", "--head-dim", "16", "--mask", "full,causal")

RIGHT = """
import torch
from torch import Tensor

def mine(q, k, v, *, mask, scale):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    positions = torch.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
    seen = mask.visible(0, positions, torch.arange(k.shape[2]))
    scores = (scale * (q @ k.transpose(-1, -2))).masked_fill(~seen, float("-inf"))
    return torch.softmax(scores, -1).nan_to_num() @ v
"""
WRONG = RIGHT.replace("def mine", "def ignores_the_mask").replace("~seen", "seen & ~seen")
SLOW = """
import time
from contextlib import closing
import torch

def slow(q, k, v):
    time.sleep(0.05)
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v
"""


def start(*words: str, cwd: Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, str(PROGRAM), *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one small run was made, by `made` below."""
    path = tmp_path_factory.mktemp("bench")
    (path / "mine.py").write_text(RIGHT)
    (path / "bad.py").write_text(WRONG)
    return path


@pytest.fixture(scope="module")
def made(folder: Path) -> subprocess.CompletedProcess[str]:
    impls = ("--impl", "mine.py", "--impl", "sdpa_flash", "--impl", "xformers")
    return start("run", *impls, *TINY, "--sessions", "2", cwd=folder)


def test_a_run_measures_reports_and_says_where(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""  # quiet where there is no terminal
    paths = [Path(line) for line in made.stdout.splitlines() if line.startswith("results/")]
    assert paths[0].name == "report.html"
    assert {path.suffix for path in paths[1:]} == {".png"}
    assert all((folder / path).stat().st_size > 1000 for path in paths)
    for name in ("mine", "sdpa_flash", "xformers"):
        assert name in made.stdout


def test_a_stored_run_is_reported_again_listed_and_read_by_programs(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    again = start("report", "latest", "--out", "elsewhere", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    data = json.loads(again.stdout)
    assert (folder / data["page"]).is_file()
    medians = {(m["problem"], m["implementation"]): m["median_ms"] for m in data["measurements"]}
    assert len(medians) == 8
    assert all(value > 0 for value in medians.values())
    runs = json.loads(start("list", "runs", "--json", cwd=folder).stdout)
    assert [run["name"] for run in runs] == [data["run"]]
    assert (runs[0]["problems"], runs[0]["implementations"], runs[0]["records"]) == (4, 3, 28)
    assert runs[0]["ended"]
    assert data["run"] in start("list", "runs", cwd=folder).stdout


def test_a_wrong_one_is_called_wrong_and_never_timed(folder: Path) -> None:
    result = start(
        "run", "--impl", "bad.py", "--problem", "h4 t64 d16 causal", "--json", "--out", "bad",
        "--store", "sqlite:///bad.db", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 1
    said = "ignores_the_mask states no Limits; what it can do is found out by"
    assert result.stderr == f"{said}: python run_bench.py check bad.py\n"
    told, data = map(json.loads, result.stdout.splitlines())
    assert (told["kind"], told["status"], told["session"]) == ("record", "wrong", 0)
    assert data["kind"] == "run"
    assert data["measurements"] == []
    (outcome,) = data["outcomes"]
    assert outcome["status"] == "wrong"
    assert "sees keys 0..63, expected 0..0" in outcome["reason"]
    stored = sqlite3.connect(folder / "bad.db").execute("select data from records").fetchall()
    assert all(not json.loads(row)["times_ms"] for (row,) in stored)


def test_check_of_a_plain_function_says_what_is_wrong_and_what_it_can_do(folder: Path) -> None:
    result = start("check", "bad.py", "--threads", "1", cwd=folder)
    said = " ".join(result.stdout.split())
    assert result.returncode == 1
    assert "expected 0..0" in said
    assert "claims more than it can" in said
    assert "To paste above" in said


def test_a_run_whose_every_record_was_refused_says_so(tmp_path: Path) -> None:
    result = start("run", "--impl", "sdpa_cudnn", *TINY, cwd=tmp_path)
    assert result.returncode == 1
    assert "nothing was measured" in result.stderr
    assert "device cpu: runs on cuda" in result.stdout


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


MISTAKES = {
    "an unknown command": (("runn",), r"No such command 'runn'"),
    "an unknown option": (("run", "--sequence", "4"), r"No such option: --sequence"),
    "an unknown option of a command": (
        ("list", "runs", "--nonsense"),
        r"No such option: --nonsense \(python run_bench.py list --help\)",
    ),
    "a suite in capitals": (("run", "QUICK"), r"unknown suite 'QUICK'; did you mean 'quick'\?"),
    "an unknown suite": (("run", "quik"), r"unknown suite 'quik'; did you mean 'quick'\?"),
    "a size of zero": (("run", "--seq", "0"), r"--seq: query_length is 0, expected at least 1"),
    "a negative size": (("run", "--heads", "-4"), r"--heads '-4': expected values like 128,256"),
    "a size in words": (("run", "--seq", "many"), r"--seq 'many': expected values like 128,256"),
    "no size at all": (
        ("run", "--seq", ","),
        r"--seq ',': a value is empty; expected values like 128,256",
    ),
    "a size left out": (("run", "--seq", "128,,256"), r"--seq '128,,256': a value is empty; expec"),
    "no device": (("run", "--device", "cpu,"), r"--device 'cpu,': a value is empty; expected one"),
    "no problem": (("run", "--problem", " "), r"--problem ' ': expected words like 'b1 h8 t4096"),
    "no number of threads": (("run", "--threads", ""), r"--threads '': expected numbers from 1 up"),
    "a number of threads left out": (
        ("run", "--threads", "1,,2"),
        r"--threads '1,,2': expected numbers from 1 up",
    ),
    "a number of threads named twice": (
        ("run", "--threads", "1,1"),
        r"--threads '1,1': a number is named twice; expected each once",
    ),
    "heads that do not divide": (
        ("run", "--heads", "8/3"),
        r"--heads: 8 query heads do not divide by 3 key heads; expected a whole number",
    ),
    "an unknown dtype": (
        ("run", "--dtype", "float23"),
        r"--dtype 'float23': did you mean 'float32'\? expected one of float64",
    ),
    "an unknown device": (("run", "--device", "gpu"), r"--device 'gpu': .*expected one of cpu"),
    "an unknown pass": (("run", "--pass", "back"), r"--pass 'back': expected one of forward"),
    "an unknown mask": (("run", "--mask", "windw:4"), r"--mask: 'windw:4' is not understood"),
    "a window of nothing": (("run", "--mask", "window:0"), r"--mask: window: the left reach is 0"),
    "an unknown bias": (("run", "--bias", "alib"), r"--bias: 'alib' is not understood"),
    "a bias that is none": (
        ("run", "--bias", "t4"),
        r"--bias 't4': expected values like none",
    ),
    "a problem that makes no sense": (
        ("run", "--problem", "b1 h8 t128 d64 sideways"),
        r"problem 'b1 h8 t128 d64 sideways': 'sideways' is not understood",
    ),
    "no sessions": (("run", "--sessions", "0"), r"--sessions is 0, expected 1 to 1000"),
    "sessions without end": (
        ("run", "--sessions", "99999999999999999999"),
        r"--sessions is 99999999999999999999, expected 1 to 1000",
    ),
    "several implementations at once": (
        ("run", "--impl", "naive,chunked"),
        r"unknown implementation 'naive,chunked': expected one name at a time",
    ),
    "a store that keeps nothing": (
        ("run", "--store", "sqlite://", "--seq", "64"),
        r"--store 'sqlite://' keeps no run; expected a file, as sqlite:///results/bench.db",
    ),
    "a store with an argument that means nothing": (
        ("run", "--store", "sqlite:///x.db?mode=ro", "--seq", "64"),
        r"--store 'sqlite:///x.db\?mode=ro': Query string argument\(s\) 'mode' are not accepted",
    ),
    "a store that is a folder": (
        ("run", "--store", "sqlite:///.", "--seq", "64"),
        r"\. is a folder; name another --store",
    ),
    "a folder with too long a name": (
        ("run", "--out", "x" * 300, "--seq", "64"),
        r"the report cannot be written to x{300}: File name too long",
    ),
    "more threads for a selftest than there are": (
        ("selftest", "--threads", "9999"),
        r"--threads is 9999, this program may use",
    ),
    "no time": (("run", "--time-limit", "0"), r"--time-limit is 0, expected more than 0"),
    "no memory": (("run", "--memory-limit", "-1"), r"--memory-limit is -1, expected more than 0"),
    "no budget": (("run", "--budget", "0"), r"--budget is 0, expected more than 0"),
    "too many threads": (("run", "--threads", "9999"), r"--threads is 9999, this program may use"),
    "a number in words": (("run", "--sessions", "few"), r"Invalid value for '--sessions'"),
    "a plan option with --resume": (
        ("run", "--resume", "--seq", "64"),
        r"--resume executes the stored plan, and --seq would change it",
    ),
    "resuming where nothing is": (("run", "--resume"), r"no store at results/bench.db"),
    "reporting where nothing is": (("report",), r"no store at results/bench.db"),
    "an unknown list": (("list", "everything"), r"unknown list 'everything'; expected one of"),
    "a name that Python cannot use": (
        ("new", "my-impl"),
        r"'my-impl' is none Python can use",
    ),
    "a name that is taken": (("new", "naive"), r"the name 'naive' is taken by"),
    "the name of the reference": (("new", "reference"), r"the name 'reference' is taken by"),
    "the name of another function": (("new", "sdpa_flash"), r"'sdpa_flash' is taken by .*sdpa.py"),
    "a keyword for a name": (("new", "class"), r"the name 'class' is none Python can use here"),
    "an endless limit": (("run", "--memory-limit", "inf"), r"--memory-limit is inf, expected more"),
    "a suite and problems": (
        ("run", "scaling", "--problem", "t64"),
        r"a suite \(scaling\) and --problem; expected one or the other",
    ),
    "an unknown implementation": (
        ("run", "--impl", "sdap_flash"),
        r"unknown implementation 'sdap_flash'; did you mean 'sdpa_flash'\?",
    ),
    "a file that is not there": (("check", "nowhere.py"), r"no file 'nowhere.py'; expected a"),
    "a file that does not import": (("check", "broken.py"), r"broken.py does not import: SyntaxE"),
    "a function that is not there": (
        ("check", "empty.py:attend"),
        r"empty.py has no attention function 'attend'; expected one of \(q, k, v, ...\), it has x",
    ),
    "a device that is not here": (
        ("run", "--device", "mps"),
        r"--device mps: this machine has cpu|--device mps: this machine has cuda, cpu",
    ),
    "a store that cannot be opened": (
        ("run", "--store", "sqlite:////proc/nowhere/x.db", "--seq", "64"),
        r"the folder /proc/nowhere of the store cannot be made",
    ),
    "a store of no kind": (
        ("run", "--store", "bench.db", "--seq", "64"),
        r"--store 'bench.db': .*did you mean sqlite:///bench.db\? expected a URL like sqlite:///re",
    ),
    "a folder that cannot be written": (
        ("run", "--out", "/proc/nowhere", "--seq", "64"),
        r"the report cannot be written to /proc/nowhere: .*; name another --out",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(mistake: str, tmp_path: Path) -> None:
    words, expected = MISTAKES[mistake]
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "empty.py").write_text("x = 1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = start(*words, cwd=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("attnbench: ")
    assert result.stderr.count("\n") == 1
    assert re.search(expected, result.stderr), result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("words", [("--help",), ("list", "suites"), ("run", "--help")])
def test_quick_answers_are_given_without_torch(words: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['run_bench.py', {', '.join(map(repr, words))}]\n"
        "try:\n"
        f"    runpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'torch', 'plotly', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_new_writes_a_file_that_passes_its_check(tmp_path: Path) -> None:
    path = ROOT / "impls" / "made_by_a_test.py"
    try:
        result = start("new", "made_by_a_test", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert str(path) in result.stdout.replace("\n", "")
        checked = start("check", "made_by_a_test", "--json", "--threads", "1", cwd=tmp_path)
    finally:
        path.unlink(missing_ok=True)
    assert checked.returncode == 0, checked.stderr
    told = json.loads(checked.stdout)
    assert "ok" in {row["status"] for row in told["outcomes"]} <= {"ok", "refused"}
    assert "probed" not in told  # it has stated its limits
    assert list(tmp_path.iterdir()) == []  # a check keeps nothing
