"""Records are of the files whose hashes the plan has."""

from __future__ import annotations

from pathlib import Path

import pytest

import impls
from suites.engine.outcome import resolve

CODE = "def mine(q, k, v):\n    return v\n"


def test_a_file_that_changed_during_a_run_gives_no_further_record(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(CODE)
    files = {"mine": str(file)}
    hashes = {"mine": impls.fingerprint(str(file))}
    assert resolve("mine", files, hashes=hashes).name == "mine"
    file.write_text(f"{CODE}\n# another version\n")
    now = impls.fingerprint(str(file))
    said = f"mine.py has changed since the run began: its hash is {now}, expected {hashes['mine']}"
    with pytest.raises(ValueError, match=said):
        resolve("mine", files, hashes=hashes)
    assert resolve("mine", files).name == "mine"
