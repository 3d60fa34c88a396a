"""The conduct of a device's selftest: planted steps that fail in every way, and what is left."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from reports.outputs.device_test import DeviceTest
from reports.outputs.export.device_test_data import of_device_test, write
from reports.outputs.terminal import device_steps
from suites.calibrate.device.conduct import Machine, Result, conduct, result_of
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.steps import STEPS, Step, chosen
from suites.records.plan import Entry

TARGET = Target(device="cuda", memory_bytes=1 << 30)
ENOUGH_S = 60.0
"""Ends a child that should end by itself; no test waits for it."""


def planted(name: str, limit_s: float = ENOUGH_S) -> Step:
    package = "tests.calibrate.planted"
    return Step(name=name, about="", expected_s=1, limit_s=limit_s, package=package)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    steps = [planted("raises"), planted("hangs", 6.0), planted("dies"), planted("misses")]
    steps += [planted("lacks"), planted("missing_module"), planted("right")]
    shown: list[Result] = []
    found = conduct(TARGET, steps, shown.append)
    assert found == shown
    return {each.step.name: each for each in found}


def test_a_step_that_ends_well_is_ok_with_its_figures(results: dict[str, Result]) -> None:
    found = results["right"]
    assert (found.status, found.fault) == ("ok", "")
    assert [each.text for each in found.figures] == ["device: cuda", f"memory: {1 << 30} bytes"]


def test_a_step_that_raises_fails_with_its_traceback(results: dict[str, Result]) -> None:
    found = results["raises"]
    assert found.status == "FAILED"
    assert found.fault == "ended with status 1; its last line: RuntimeError: planted"
    assert "raises.py" in found.output
    assert [each.name for each in found.figures] == ["before"]


def test_a_step_that_hangs_is_killed_with_what_it_started(results: dict[str, Result]) -> None:
    found = results["hangs"]
    assert (found.status, found.fault) == ("FAILED", "took more than 6 s and was killed")
    (started,) = found.figures
    assert isinstance(started.value, int)
    assert not _runs(started.value)


def test_a_step_whose_process_is_killed_fails(results: dict[str, Result]) -> None:
    found = results["dies"]
    assert (found.status, found.fault) == ("FAILED", "was killed by SIGKILL")
    assert [each.value for each in found.figures] == ["seen"]


def test_a_figure_that_misses_its_expectation_fails_its_step(results: dict[str, Result]) -> None:
    found = results["misses"]
    assert found.status == "FAILED"
    assert found.fault == "ratio: 1.25; expected within 5% of 1: both are the same"


def test_a_step_that_lacks_something_is_not_run(results: dict[str, Result]) -> None:
    found = results["lacks"]
    assert (found.status, found.fault) == ("not run", "a package is not installed")


def test_a_step_that_cannot_be_imported_fails(results: dict[str, Result]) -> None:
    assert results["missing_module"].status == "FAILED"
    assert "ModuleNotFoundError" in results["missing_module"].fault


def test_a_step_without_figures_fails() -> None:
    found = result_of(planted("right"), 1.0, "", "", "")
    assert (found.status, found.fault) == ("FAILED", "it gave no figure")


def test_a_figure_that_was_cut_by_the_end_of_its_process_is_left_out() -> None:
    line = json.dumps(Figure(name="a", value=1).as_data())
    found = result_of(planted("right"), 1.0, f"{line}\n{line[:9]}", "was killed by SIGSEGV", "")
    assert [each.name for each in found.figures] == ["a"]


def test_stopping_by_hand_leaves_the_rest_not_run_and_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr("suites.calibrate.device.conduct.run", interrupted)
    monkeypatch.chdir(tmp_path)
    test = DeviceTest(Machine(target=TARGET, facts={}, entries=()), "2030-01-02", "a command")
    found = conduct(TARGET, [planted("right"), planted("raises")], test.show)
    assert {(each.status, each.fault) for each in found} == {("not run", "stopped by hand")}
    assert test.end() == 1


def test_the_summary_counts_and_says_how_to_repeat(results: dict[str, Result]) -> None:
    lines = [str(each) for each in device_steps.summary(list(results.values()), "a/file.json")]
    assert "7 steps" in lines[0]
    assert lines[0].endswith("1 ok, 5 FAILED, 1 not run")
    assert lines[1].endswith("--only raises,hangs,dies,misses,missing_module")
    assert lines[2].endswith("a/file.json")


def test_a_line_has_name_status_seconds_and_the_last_figure(results: dict[str, Result]) -> None:
    out = StringIO()
    Console(file=out, width=300).print(device_steps.line(results["right"]))
    name, status, seconds, unit, *rest = out.getvalue().split()
    assert (name, status, unit) == ("right", "ok", "s")
    assert float(seconds) > 0
    assert " ".join(rest) == f"memory: {1 << 30} bytes"


def test_the_file_names_every_step_with_figures_and_output(
    results: dict[str, Result], tmp_path: Path
) -> None:
    entries = (Entry(name="xformers", missing="is not installed"), Entry(name="naive"))
    machine = Machine(target=TARGET, facts={"python": "3.12"}, entries=entries)
    started = "2030-01-02T03:04:05+00:00"
    file = write(of_device_test(machine, list(results.values()), started, "a command"), tmp_path)
    data = json.loads(file.read_text())
    assert file.name == "selftest-20300102T0304050000.json"
    assert (data["machine"], data["command"]) == ({"python": "3.12"}, "a command")
    assert data["missing"] == {"xformers": "is not installed"}
    steps = {each["name"]: each for each in data["steps"]}
    assert list(steps) == list(results)
    assert "planted" in steps["raises"]["output"]
    assert steps["misses"]["figures"][0]["reason"] == "both are the same"


def test_steps_fit_five_minutes_and_have_modules() -> None:
    assert sum(each.expected_s for each in STEPS.values()) < 300
    assert sum(each.limit_s for each in STEPS.values()) <= 420
    for each in STEPS.values():
        assert each.limit_s > each.expected_s
        assert Path(*each.module.split(".")).with_suffix(".py").is_file()


def test_steps_are_chosen_in_their_own_order() -> None:
    assert [each.name for each in chosen(["timing,smoke", "memory"])] == [
        "smoke",
        "memory",
        "timing",
    ]
    assert chosen([]) == list(STEPS.values())


def test_an_unknown_step_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'timng' is no step; did you mean 'timing'\?.*smoke, "):
        chosen(["timng"])


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_page_on_gpus_has_the_steps_and_their_limits() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gpu.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", page, re.MULTILINE)
    assert rows == [(each.name, f"{each.limit_s:g}") for each in STEPS.values()]
