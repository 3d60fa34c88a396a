"""The formulas of bytes sent equal the bytes that ranks of ring and Ulysses send."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from impls.interface import Problem
from suites.stats.scaling.parts import sent_backward, sent_forward

COUNTING = Path(__file__).with_name("counting.py")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    folder = tmp_path_factory.mktemp("counted")
    command = [sys.executable, str(COUNTING), str(folder)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert child.returncode == 0, child.stderr
    rows: list[list[Any]] = json.loads((folder / "counted.json").read_text())
    return rows


@pytest.mark.parametrize("name", ["ring", "ulysses"])
def test_every_rank_sends_the_bytes_of_the_formulas(counted: list[list[Any]], name: str) -> None:
    rows = [row for row in counted if row[0] == name]
    assert len(rows) == 3 * (2 + 4)
    for _, words, rank, forward, backward in rows:
        problem = Problem.parse(words)
        group = problem.ranks if name == "ulysses" else 1
        assert forward == sent_forward(problem, group).total, (words, rank)
        assert backward == sent_backward(problem, group).total, (words, rank)
