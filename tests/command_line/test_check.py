"""`check` of a plain function, and `new`, whose file passes its check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.command_line.program import PROGRAM, ROOT, WRONG, run_here, start


def test_check_of_a_plain_function_prints_its_faults_and_its_limits(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(WRONG)
    result = run_here("check", "bad.py", "--threads", "1", cwd=tmp_path)
    said = " ".join(result.stdout.split())
    assert result.returncode == 1
    assert result.stdout.startswith("ignores_the_mask is wrong: ")
    assert said.index("What it can ") < said.index("What it cannot ") < said.index("To paste")
    assert "expected 0..0" in said
    assert "accept more than it computes correctly" in said
    assert "To paste above" in said


def test_new_writes_a_file_that_passes_its_check(tmp_path: Path) -> None:
    program = copied(tmp_path / "copy")
    folder = tmp_path / "empty"
    folder.mkdir()
    path = program.parent / "impls" / "made_by_a_test.py"
    result = start("new", "made_by_a_test", cwd=folder, program=program)
    assert result.returncode == 0, result.stderr
    assert path.is_file()
    assert str(path) in result.stdout.replace("\n", "")
    words = ("check", "made_by_a_test", "--json", "--threads", "1")
    checked = start(*words, cwd=folder, program=program)
    assert checked.returncode == 0, checked.stderr
    data = json.loads(checked.stdout)
    assert "ok" in {row["status"] for row in data["outcomes"]} <= {"ok", "refused"}
    assert "probed" not in data  # it states its limits
    assert {(row["slip"], row["cure"], row["notes"]) for row in data["outcomes"]} == {("", "", "")}
    assert list(folder.iterdir()) == []  # a check stores nothing


def copied(folder: Path) -> Path:
    """A copy of the program: `new` writes into the impls/ of the program that runs."""
    for name in ("impls", "suites", "reports"):
        ignored = shutil.ignore_patterns("__pycache__", "examples")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return Path(shutil.copy(PROGRAM, folder))
