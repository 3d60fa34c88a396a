"""A run is measured and reported without plotly and matplotlib: only the page is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.outputs import drawing

ROOT = Path(__file__).parents[3]
BLOCKED = 'import sys\nsys.modules["plotly"] = sys.modules["matplotlib"] = None\n'


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of a program that can import neither."""
    (tmp_path / "sitecustomize.py").write_text(BLOCKED)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def program(folder: Path, without: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run_bench.py"), *words]
    return subprocess.run(
        command, cwd=folder, env=without, capture_output=True, text=True, check=False
    )


def test_a_run_without_them_has_its_tables_and_one_line(
    tmp_path: Path, without: dict[str, str]
) -> None:
    words = ("--problem", "b1 h1 t16 d16", "--impl", "naive", "--sessions", "1", "--threads", "1")
    done = program(tmp_path, without, "run", *words)
    assert done.returncode == 0, done.stderr
    assert "naive" in done.stdout
    assert "no page and no charts: plotly and matplotlib are not installed" in done.stderr
    assert not list(tmp_path.glob("results/*/report.html"))
    again = program(tmp_path, without, "report", "latest", "--json")
    assert "page" not in json.loads(again.stdout)
    assert again.returncode == 0


def test_a_page_of_several_runs_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ValueError, match=r"cannot be drawn: plotly is not installed; python -m"):
        drawing.expect_possible()


def test_with_them_nothing_is_said() -> None:
    assert drawing.without_page("a") == ""
