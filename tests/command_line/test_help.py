"""Help and lists that need no torch do not import it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line.program import PROGRAM, ROOT


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
