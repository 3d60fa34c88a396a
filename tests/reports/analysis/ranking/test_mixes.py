"""The best mix of a run of cases as data, and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import run_bench
from impls.bridges.substitution import Substitution
from reports.analysis.ranking.dispatch import Dispatch, dispatch
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import plain
from reports.views import steps as sentences
from suites.records.cases import Step
from tests.reports.analysis.test_steps import CASES, STEP, WINDOW, noisy
from tests.saved_run import small_run, timed_run


def analysis() -> Analysis:
    """A run of a workload: chunked is faster for the window."""
    return Analysis(*timed_run(noisy, CASES, steps=(Step(name=STEP, took_ms=(60.0,)),)))


def written(folder: Path, found: Analysis) -> Path:
    """The file that `export --format dispatch` writes."""
    path = folder / "dispatch.json"
    path.write_text(json.dumps(plain(dispatch(found)), allow_nan=False))
    return path


def test_the_mix_has_the_problems_whose_implementation_changes(tmp_path: Path) -> None:
    assert Dispatch.read(written(tmp_path, analysis())).mix == {WINDOW: "chunked"}


def test_each_change_has_its_saving_with_an_interval(tmp_path: Path) -> None:
    data = json.loads(written(tmp_path, analysis()).read_text())
    (step,) = data["steps"]
    change = next(
        each
        for each in step["changes"]
        if (each["problems"], each["implementation"]) == ([str(WINDOW)], "chunked")
    )
    assert (change["now"], change["calls"], change["places"]) == (
        "sdpa_flash",
        12,
        ["window layer"],
    )
    assert change["saves"]["low"] < 12.0 < change["saves"]["high"]
    assert step["took_ms"] == 60.0
    assert step["mix_saves"]["ms"] == pytest.approx(12.0, rel=0.05)


def test_a_run_without_cases_has_no_mix(tmp_path: Path) -> None:
    path = written(tmp_path, Analysis(*small_run()))
    assert Dispatch.read(path).mix == {}
    with pytest.raises(ValueError, match="has no mix"):
        run_bench.substituted(path)


def test_the_file_becomes_a_context_that_puts_the_mix_in(tmp_path: Path) -> None:
    found = run_bench.substituted(written(tmp_path, analysis()), quiet=True)
    assert isinstance(found, Substitution)


@pytest.mark.parametrize(("low", "said"), [(-0.5, True), (0.5, False), (None, True)])
def test_a_mix_that_is_not_shown_to_save_time_is_put_in_with_a_warning(
    low: float | None, *, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, analysis())
    data = json.loads(path.read_text())
    high = None if low is None else 24.0
    data["steps"][0]["mix_saves"] = {"ms": 12.0, "low": low, "high": high}
    path.write_text(json.dumps(data))
    run_bench.substituted(path)
    found = capsys.readouterr().err
    assert ("its mix is not shown to save time, 12 ms" in found) == said
    assert run_bench.substituted(path, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_mix_that_changes_nothing_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, analysis())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mix": []}))
    assert isinstance(run_bench.substituted(path), Substitution)
    assert capsys.readouterr().err == f"attnbench: {path}: its mix changes nothing\n"


def test_a_recorded_step_says_how_the_mix_is_put_in() -> None:
    found = analysis()
    said = "\n".join(line for lines in sentences.lines(found) for line in lines)
    assert f"python run_bench.py export {found.run.name} --format dispatch" in said
    assert "from run_bench import substituted" in said


def test_a_step_that_was_not_recorded_says_nothing_of_it() -> None:
    found = Analysis(*timed_run(noisy, CASES))
    assert not any("substituted" in line for lines in sentences.lines(found) for line in lines)
