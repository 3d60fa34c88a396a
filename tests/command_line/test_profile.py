"""`profile NAME` as a user starts it: names, several problems, refusals, failures and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suites.records.profile import Profile
from suites.records.store import Store
from tests.command_line.program import PROGRAM, call, run_here

FILE = """
import sys
import time
from pathlib import Path

from torch.nn.functional import scaled_dot_product_attention as attention


def honest(query, key, value):
    return attention(query, key, value)


def raises(query, key, value):
    if sys.gettrace():
        raise ValueError("planted")
    return attention(query, key, value)


def hangs(query, key, value):
    while sys.gettrace():
        Path(__file__).with_name("hanging").touch()
        time.sleep(0.05)
    return attention(query, key, value)
"""
SMALL = ("--sessions", "2", "--threads", "1")
ONE, TWO = "b1 h2 t64 d16 full", "b1 h2 t96 d16 full"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path


def stored(folder: Path) -> list[Profile]:
    """The profiles of the only run."""
    store = Store.open(f"sqlite:///{folder / 'results' / 'bench.db'}", create=False)
    (run,) = store.runs()
    return store.profiles(run.name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no implementation to profile"),
        (["naive", "chunked"], "2 implementations to profile: naive, chunked; expected one"),
        (["chunkd"], "did you mean 'chunked'?"),
        (["naive", "--problem", "t8 t9"], "t8 t9"),
        (["ring", "--problem", "h2 t64 ranks2"], "profile takes no group of processes, as ranks2"),
        (["ring", "--ranks", "1,4"], "profile takes no group of processes, as ranks4"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = call("profile", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=folder)
    assert ended.status == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_both_sides_of_several_problems_are_stored_with_their_run(folder: Path) -> None:
    done = run_here(
        "profile", "mine.py:honest", "--against", "sdpa_flash", "--problem", ONE, "--problem", TWO,
        *SMALL, "--out", "out", "--json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    profiles = stored(folder)
    sides = [(each.problem.query_length, each.implementation) for each in profiles]
    assert sorted(sides) == [(64, "honest"), (64, "sdpa_flash"), (96, "honest"), (96, "sdpa_flash")]
    assert [length for length, _ in sides] == [64, 64, 96, 96]
    assert not any(each.fault or not each.nodes for each in profiles)
    assert all((folder / "out" / name).is_file() for each in profiles for name in each.files)
    assert (folder / "out" / "profile.html").is_file()
    json.loads(done.stdout)


def test_a_problem_that_is_refused_has_its_reasons_and_no_profile(folder: Path) -> None:
    done = run_here("profile", "local_window", "--problem", ONE, *SMALL, cwd=folder)
    assert done.returncode == 1
    assert "local_window was not profiled" in done.stdout
    assert "mask full" in done.stdout
    assert stored(folder) == []


def test_an_implementation_that_fails_is_stored_alone_without_its_baseline_and_exits_with_1(
    folder: Path,
) -> None:
    done = run_here("profile", "mine.py:raises", "--problem", ONE, *SMALL, cwd=folder)
    assert done.returncode == 1
    assert "ValueError: planted" in " ".join(done.stdout.split())
    (profile,) = stored(folder)
    assert profile.fault == "failed: ValueError: planted"


def test_ctrl_c_while_it_is_profiled_leaves_the_run_and_says_how_to_see_it(folder: Path) -> None:
    words = ["profile", "mine.py:hangs", "--problem", ONE, *SMALL]
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while process.poll() is None and not (folder / "hanging").exists():
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stopped; the run is complete, and 0 of its profiles are stored" in said
    assert "Traceback" not in said
    assert stored(folder) == []
    assert run_here("report", cwd=folder).returncode == 0
