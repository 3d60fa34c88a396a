"""Cases and steps in the terminal, on the page, as PNG, in markdown and in every export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from reports.analysis.run_analysis import Analysis
from reports.outputs.export.formats import (
    as_csv,
    as_json,
    as_latex,
    as_parquet,
    as_pytest_benchmark,
)
from reports.outputs.html import page
from reports.outputs.markdown.run import of_run
from reports.outputs.png import files
from reports.outputs.terminal.ending import ending
from reports.views.charts.steps import step_charts
from tests.reports.steps_run import CASES, MODEL, RECORDED, steps_run
from tests.saved_run import small_run, stored

MOST_LINES = 8
"""Lines of a step in a terminal of 100 columns."""


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """The made-up run of two steps."""
    return Analysis(*steps_run())


def exported(module: Any, path: Path, *, plain: bool = False) -> tuple[Path, ...]:
    """The files of an export, of the run of two steps or of one without cases."""
    run, records = small_run() if plain else steps_run()
    found: tuple[Path, ...] = module.write(stored(run, records), run, path)
    return found


def test_a_step_takes_few_lines_in_a_terminal(analysis: Analysis) -> None:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        for each in ending(analysis, every=False):
            console.print(each)
    blocks = captured.get().split("\n\n")

    own = [each.strip() for each in blocks if RECORDED in each or MODEL in each]
    assert len(own) == 2
    assert all(len(each.splitlines()) <= MOST_LINES for each in own)
    assert "best mix" in own[0].lower()


def test_the_page_has_the_steps_before_the_panels(analysis: Analysis) -> None:
    found = page.page(analysis)

    assert found.index('<section id="steps">') < found.index('<section id="attention">')
    assert '<a href="#steps">' in found
    assert "encoder self-attention; big encoder" in found


def test_the_page_of_a_run_without_cases_has_no_steps() -> None:
    found = page.page(Analysis(*small_run()))

    assert 'id="steps"' not in found
    assert 'data-name="case"' not in found


def test_every_step_is_a_png(analysis: Analysis, tmp_path: Path) -> None:
    made = files.draw(step_charts(analysis), tmp_path)

    assert len(made) == 2
    assert all(each.read_bytes().startswith(b"\x89PNG") for each in made)


def test_markdown_has_the_steps_in_bold(analysis: Analysis) -> None:
    found = of_run(analysis)

    assert f"**{RECORDED}: attention takes " in found
    assert "* Best mix: " in found


def test_json_has_cases_steps_and_labels(tmp_path: Path) -> None:
    (path,) = exported(as_json, tmp_path / "run.json")
    data = json.loads(path.read_text())

    assert [each["label"] for each in data["cases"]] == [each.label for each in CASES]
    recorded, model = data["steps"]
    assert (recorded["step"], recorded["took_ms"], model["took_ms"]) == (RECORDED, 80.0, None)
    assert recorded["mix"]["implementations"] == ["sdpa", "local_window", "sdpa"]
    saving = recorded["mix"]["saving"]
    assert saving["ms"]["low"] < saving["ms"]["value"] < saving["ms"]["high"]
    assert recorded["cases"][2]["interpolated_from"] == [
        "b1 h8 t512 d64 causal fp32 cpu",
        "b1 h8 t1024 d64 causal fp32 cpu",
    ]
    assert recorded["left_out"][0]["label"] == "very long"
    assert recorded["unexpressed"][0]["reason"] == "dropout 0.1"
    assert data["measurements"][0]["case"] == "encoder self-attention; big encoder"


def test_json_of_a_run_without_cases_is_as_before(tmp_path: Path) -> None:
    (path,) = exported(as_json, tmp_path / "run.json", plain=True)
    data = json.loads(path.read_text())

    assert not {"cases", "steps"} & data.keys()
    assert "case" not in data["measurements"][0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_have_labels_sums_and_cases(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    made = exported(as_csv if kind == "csv" else as_parquet, tmp_path / f"run.{kind}")
    read = pd.read_csv if kind == "csv" else pd.read_parquet
    found = {path.stem: read(path) for path in made}

    assert "encoder self-attention; big encoder" in set(found["run"]["case"])
    sums = found["run-steps"]
    assert set(sums["of"]) == {"now", "mix", "alone"}
    assert sums[sums["of"] == "mix"]["saved_low_ms"].iloc[0] > 0
    assert list(found["run-cases"]["label"].fillna("")) == [each.label for each in CASES]


@pytest.mark.parametrize("module", [as_csv, as_parquet])
def test_tables_of_a_run_without_cases_are_as_before(module: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    made = exported(module, tmp_path / f"run.{module.EXTENSION}", plain=True)
    read = pd.read_csv if module is as_csv else pd.read_parquet

    assert not [each for each in made if each.stem.endswith(("-steps", "-cases"))]
    assert "case" not in read(made[0]).columns


def test_latex_has_a_table_of_the_steps(tmp_path: Path) -> None:
    (path,) = exported(as_latex, tmp_path / "run.tex")
    (plain,) = exported(as_latex, tmp_path / "plain.tex", plain=True)

    assert "\\label{tab:steps}" in path.read_text()
    assert "now: sdpa" in path.read_text()
    assert "tab:steps" not in plain.read_text()


def test_pytest_benchmark_has_the_labels(tmp_path: Path) -> None:
    (path,) = exported(as_pytest_benchmark, tmp_path / "run.json")
    first = json.loads(path.read_text())["benchmarks"][0]

    assert first["extra_info"]["case"] == "encoder self-attention; big encoder"
