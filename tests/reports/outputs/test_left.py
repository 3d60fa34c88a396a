"""What a run leaves, and the file of --summary."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from reports.outputs.left import Left
from reports.outputs.summary import append, expect_file


def test_the_command_that_finishes_a_run_leaves_the_same() -> None:
    left = Left(Path("a folder"), "main", Path("$x.md"), every=True)
    assert shlex.split(left.options) == [
        "--out", "a folder", "--save", "main", "--summary", "$x.md", "--all",
    ]  # fmt: skip
    assert Left().options == ""


def test_what_cannot_be_left_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "summary.md"
    with pytest.raises(ValueError, match=f"the summary cannot be written to {nowhere}: No such"):
        Left(tmp_path, summary=nowhere).expect_possible()
    with pytest.raises(ValueError, match="--save latest: 'latest' means the newest runs"):
        Left(tmp_path, "latest").expect_possible()
    with pytest.raises(ValueError, match="the report cannot be written to /proc/nowhere"):
        Left(Path("/proc/nowhere")).expect_possible()
    Left(tmp_path, "main", tmp_path / "summary.md").expect_possible()
    assert list(tmp_path.iterdir()) == []


def test_a_summary_is_appended_apart_from_what_the_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    append(file, "one\n")
    append(file, "two\n")
    assert file.read_text() == "one\n\ntwo\n"
    before = file.read_bytes()
    expect_file(file)
    assert file.read_bytes() == before


def test_a_summary_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    said = f"^the summary cannot be written to {tmp_path}: Is a directory; name another --summary"
    with pytest.raises(ValueError, match=said):
        expect_file(tmp_path)
    with pytest.raises(ValueError, match=said):
        append(tmp_path, "x\n")


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expect_file(None)
    append(None, "x\n")
    assert list(tmp_path.iterdir()) == []
