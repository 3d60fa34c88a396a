"""`profile NAME`: the page of a real profile and its files, and what failures leave of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command_line.program import WRONG, call, run_here

PROBLEM = ("--problem", "b1 h2 t64 d16", "--threads", "1", "--sessions", "1")
CRASHING = """
import os
import sys
import torch

def crashing(q, k, v):
    if sys.gettrace() is not None:  # the profiler looks for source lines
        os.abort()
    return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v
"""
MISTAKES = {
    "an unknown baseline": (
        ("chunked", "--against", "navie"),
        r"unknown implementation 'navie'; did you mean 'naive'\?",
    ),
    "a size of zero": (("chunked", "--seq", "0"), r"--seq\b.*expected at least 1"),
    "an option of run": (("chunked", "--impl", "naive"), r"No such option: --impl"),
    "a folder that cannot be written": (
        ("chunked", "--out", "/proc/nowhere"),
        r"cannot be written to /proc/nowhere.*; name another --out",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, expected = MISTAKES[name]
    ended = call("profile", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert re.search(expected, ended.stderr), ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("results/*/"))


def test_a_profile_has_its_page_its_files_and_its_run(tmp_path: Path) -> None:
    words = ("profile", "chunked", "--against", "naive", *PROBLEM)
    done = run_here(*words, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("chunked takes ")
    assert lines[-1] == "out/profile.html"
    data = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert [each["implementation"] for each in data["profiles"]] == ["chunked", "naive"]
    traces = [name for each in data["profiles"] for name in each["files"]]
    html = (tmp_path / "out" / "profile.html").read_text()
    for name in traces:
        assert "traceEvents" in json.loads((tmp_path / "out" / name).read_text())
        assert f'<a href="{name}">' in html
    listed = run_here("list", "runs", cwd=tmp_path).stdout
    assert "with profiles" in listed
    (run,) = json.loads(run_here("list", "runs", "--json", cwd=tmp_path).stdout)
    assert run["profiled"] is True
    again = run_here("report", "latest", "--out", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "again/profile.html" in again.stdout.splitlines()
    page = (tmp_path / "again" / "report.html").read_text()
    assert '<a href="profile.html">Profile</a>' in page


def test_a_wrong_implementation_is_not_profiled(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    words = ("--problem", "b1 h2 t64 d16 causal", *PROBLEM[2:])
    done = run_here("profile", "mine.py", *words, "--json", cwd=tmp_path)
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["profiles"] == []
    assert data["faults"][0].startswith("ignores_the_mask is wrong on b1 h2 t64 d16")


def test_a_crash_under_the_profiler_is_its_record_and_the_rest_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CRASHING)
    done = run_here("profile", "mine.py", "--against", "naive", *PROBLEM, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    crashed, naive = data["profiles"]
    assert "SIGABRT" in crashed["fault"]
    assert naive["nodes"]
    assert "failed under the profiler" in data["faults"][0]
    assert any(each["implementation"] == "crashing" for each in data["measurements"])
