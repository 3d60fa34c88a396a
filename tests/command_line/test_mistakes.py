"""Every mistake on the command line is one line on stderr, status 2, and no file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

import pytest

from suites.engine.local_pool import LocalPool
from tests.command_line.program import call, start

MISTAKES = {
    "an unknown command": (("runn",), r"No such command 'runn'"),
    "an unknown option": (("run", "--sequence", "4"), r"No such option: --sequence"),
    "an unknown option of a command": (
        ("list", "runs", "--nonsense"),
        r"No such option: --nonsense \(python run_bench.py list --help\)",
    ),
    "a suite in capitals": (("run", "QUICK"), r"unknown suite 'QUICK'; did you mean 'quick'\?"),
    "a file in place of a suite": (
        ("run", "mine.py"),
        r"is a file, and no suite: .*--impl mine.py",
    ),
    "an unknown suite": (("run", "quik"), r"unknown suite 'quik'; did you mean 'quick'\?"),
    "a size of zero": (("run", "--seq", "0"), r"--seq\b.*query_length is 0, expected at least 1"),
    "a negative size": (("run", "--heads", "-4"), r"--heads .*'-4'.* expected values like 128,256"),
    "a size in words": (("run", "--seq", "many"), r"--seq .*'many'.* expected values like 128,256"),
    "no size at all": (
        ("run", "--seq", ","),
        r"--seq .*','.* empty.*; expected values like 128,256",
    ),
    "a size left out": (("run", "--seq", "128,,256"), r"--seq .*'128,,256'.* empty.*; expected"),
    "no device": (("run", "--device", "cpu,"), r"--device .*'cpu,'.* empty.*; expected one"),
    "no problem": (("run", "--problem", " "), r"--problem .*' '.* expected words like 'b1 h8"),
    "no number of threads": (
        ("run", "--threads", ""),
        r"--threads .*''.* expected numbers from 1 up",
    ),
    "a number of threads left out": (
        ("run", "--threads", "1,,2"),
        r"--threads .*'1,,2'.* expected numbers from 1 up",
    ),
    "a number of threads named twice": (
        ("run", "--threads", "1,1"),
        r"--threads .*'1,1'.* twice; expected each once",
    ),
    "heads that do not divide": (
        ("run", "--heads", "8/3"),
        r"--heads .*8 query heads do not divide by 3 key heads; expected a whole number",
    ),
    "an unknown dtype": (
        ("run", "--dtype", "float23"),
        r"--dtype .*'float23'.* did you mean 'float32'\? expected one of float64",
    ),
    "an unknown device": (("run", "--device", "gpu"), r"--device .*'gpu'.* expected one of cpu"),
    "an unknown pass": (("run", "--pass", "back"), r"--pass .*'back'.* expected one of forward"),
    "an unknown mask": (("run", "--mask", "windw:4"), r"--mask .*'windw:4' is not understood"),
    "a window of nothing": (("run", "--mask", "window:0"), r"--mask .*window: the left reach is 0"),
    "an unknown bias": (("run", "--bias", "alib"), r"--bias .*'alib' is not understood"),
    "a bias that is none": (
        ("run", "--bias", "t4"),
        r"--bias .*'t4'.* expected values like none",
    ),
    "a workload that is not there": (
        ("run", "--workload", "nowhere.jsonl"),
        r"nowhere.jsonl does not exist; make one with ",
    ),
    "a workload beside a suite": (
        ("run", "quick", "--workload", "nowhere.jsonl"),
        r"a suite \(quick\) and --workload; expected one or the other",
    ),
    "a workload beside an axis": (
        ("run", "--workload", "nowhere.jsonl", "--seq", "64"),
        r"--seq beside --workload; the file names the problems: leave it out",
    ),
    "a list of problems that is not there": (
        ("run", "--problem-file", "nowhere.txt"),
        r"nowhere.txt cannot be read: .*No such file",
    ),
    "a problem that makes no sense": (
        ("run", "--problem", "b1 h8 t128 d64 sideways"),
        r"problem 'b1 h8 t128 d64 sideways': 'sideways' is not understood",
    ),
    "no sessions": (("run", "--sessions", "0"), r"--sessions .*0.*, expected .*1 to 1000"),
    "sessions without end": (
        ("run", "--sessions", "99999999999999999999"),
        r"--sessions .*99999999999999999999.*, expected .*1 to 1000",
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
        r"the store 'sqlite:///x.db\?mode=ro': Query string argument\(s\) 'mode' are not accepted",
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
    "no time": (("run", "--time-limit", "0"), r"--time-limit .*0.*, expected a number above 0"),
    "no memory": (
        ("run", "--memory-limit", "-1"),
        r"--memory-limit .*-1.*, expected a number above 0",
    ),
    "no budget": (("run", "--budget", "0"), r"--budget .*0.*, expected a number above 0"),
    "too many threads": (("run", "--threads", "9999"), r"--threads is 9999, this program may use"),
    "a number in words": (
        ("run", "--sessions", "few"),
        r"--sessions .*'few'.*, expected a whole number",
    ),
    "a plan option with --resume": (
        ("run", "--resume", "--seq", "64"),
        r"--resume executes the stored plan, and --seq would change it",
    ),
    "resuming where nothing is": (("run", "--resume"), r"no store at results/bench.db"),
    "reporting where nothing is": (("report",), r"no store at results/bench.db"),
    "tables beside the JSON of a run": (("run", "--all", "--json"), r"--all beside --json; expect"),
    "tables beside the JSON of a report": (("report", "--all", "--json"), r"--all beside --json"),
    "an unknown list": (("list", "everything"), r"unknown list 'everything'; expected one of"),
    "the weights of a model": (
        ("show", "naive", "--problem", "b1 h2/1 t16 d8 causal model:llama"),
        r"show draws the weights of one call; leave out model:llama",
    ),
    "a walk through a model": (
        ("explain", "chunked", "--problem", "b1 h2/1 t16 d8 causal model:llama"),
        r"explain walks through one call; leave out model:llama",
    ),
    "a model of a file that is not there": (
        ("run", "--problem", "b1 h2 t16 d8 model:none.py:make"),
        r"model:none.py:make: No such file or directory: none.py; expected a path from",
    ),
    "a name that Python cannot use": (
        ("new", "my-impl"),
        r"'my-impl' cannot name a function",
    ),
    "a name that is taken": (("new", "naive"), r"the name 'naive' is taken by"),
    "the name of the reference": (("new", "reference"), r"the name 'reference' is taken by"),
    "the name of another function": (("new", "sdpa_flash"), r"'sdpa_flash' is taken by .*sdpa.py"),
    "a keyword for a name": (("new", "class"), r"the name 'class' cannot name a function here"),
    "an endless limit": (
        ("run", "--memory-limit", "inf"),
        r"--memory-limit .*inf.*, expected a number",
    ),
    "a suite and problems": (
        ("run", "scaling", "--problem", "t64"),
        r"a suite \(scaling\) and --problem; expected one or the other",
    ),
    "no candidate": (("judge",), r"Missing argument 'DIR\|FILE.py"),
    "a candidate that is not there": (
        ("judge", "nowhere", "--problem", "t64"),
        r"no file or folder 'nowhere'; expected DIR, FILE.py or FILE.py:FUNCTION",
    ),
    "candidates without a problem": (
        ("judge", "empty.py"),
        r"--problem is missing; expected one at least, as \"b1 h8 t1024 d64 causal\"",
    ),
    "candidates with several numbers of threads": (
        ("judge", "empty.py", "--problem", "t64", "--threads", "1,2"),
        r"--threads (names 2 numbers; judge expects one|is 2, this program may use 1 CPUs)",
    ),
    "a margin that is no part": (
        ("judge", "empty.py", "--problem", "t64", "--faster-by", "much"),
        r"--faster-by is 'much', expected a part of the time like 0% or 50%",
    ),
    "candidates against an unknown implementation": (
        ("judge", "empty.py", "--problem", "t64", "--against", "sdap_flash"),
        r"unknown implementation 'sdap_flash'; did you mean 'sdpa_flash'\?",
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
        r"the store 'bench.db': .*did you mean sqlite:///bench.db\? expected a URL like sqlite:///re",
    ),
    "a summary in a folder that is not there": (
        ("run", "--summary", "nowhere/summary.md", "--seq", "64"),
        r"the summary cannot be written to nowhere/summary.md: No such file or directory; name",
    ),
    "a summary of a check in a folder that is not there": (
        ("check", "naive", "--summary", "nowhere/summary.md"),
        r"the summary cannot be written to nowhere/summary.md: No such file",
    ),
    "a summary of a report in a folder that is not there": (
        ("report", "--summary", "nowhere/summary.md"),
        r"the summary cannot be written to nowhere/summary.md: No such file",
    ),
    "a summary of a comparison that is a folder": (
        ("compare", "a", "b", "--summary", "."),
        r"the summary cannot be written to \.: Is a directory",
    ),
    "a saved name that means another run": (
        ("run", "--save", "latest~1", "--seq", "64"),
        r"--save latest~1: 'latest~1' means the newest runs; name it otherwise",
    ),
    "a saved name that no folder can have": (
        ("run", "--save", "../main", "--seq", "64"),
        r"--save: its name, '\.\./main', cannot be a folder's; expected letters",
    ),
    "a copy to nowhere": (("copy", "latest"), r"Missing option '--to'"),
    "a copy from a store that is not there": (
        ("copy", "latest", "--from", "sqlite:///nowhere.db", "--to", "sqlite:///new.db"),
        r"no store at nowhere.db",
    ),
    "a strict gate without a limit": (
        ("compare", "a", "b", "--fail-if-unsure"),
        r"--fail-if-unsure without --fail-if-slower; expected both",
    ),
    "a folder that cannot be written": (
        ("run", "--out", "/proc/nowhere", "--seq", "64"),
        r"the report cannot be written to /proc/nowhere: .*; name another --out",
    ),
}


WITHOUT_A_SESSION = (
    "several implementations at once",
    "a store with an argument that means nothing",
    "a store that is a folder",
    "a store of no kind",
    "the weights of a model",
    "a model of a file that is not there",
    "a file that is not there",
)
"""Mistakes that are seen before the seconds in which a session imports torch."""


@pytest.mark.parametrize("mistake", WITHOUT_A_SESSION)
def test_a_mistake_that_needs_no_session_starts_none(
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def started(*_: object) -> NoReturn:
        raise AssertionError("a session was started")

    monkeypatch.setattr(LocalPool, "_started", started)
    words, expected = MISTAKES[mistake]
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert re.search(expected, ended.stderr), ended.stderr


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, expected = MISTAKES[mistake]
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "empty.py").write_text("x = 1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2, ended
    assert ended.stdout == ""
    assert ended.stderr.startswith("attnbench: ")
    assert ended.stderr.count("\n") == 1
    assert re.search(expected, ended.stderr), ended.stderr
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}  # Python's own
    assert sorted(left) == before


@pytest.mark.parametrize("mistake", ["an unknown option", "no sessions", "a store of no kind"])
def test_the_program_itself_ends_with_that_line_and_status(mistake: str, tmp_path: Path) -> None:
    words, expected = MISTAKES[mistake]
    ended = start(*words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(f"attnbench: .*{expected}.*\n", ended.stderr), ended.stderr
    assert list(tmp_path.iterdir()) == []
