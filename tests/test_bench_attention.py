"""`python -m pytest suites/`: its cases, the figures stored with each, and cases without a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impls.interface import Limits, Problem
from reports.rows.measurements import measurements
from suites import bench_attention, in_process
from suites.bench_attention import Measured, figures, restricted
from suites.records.plan import Entry
from suites.records.record import Cause, Record, Status
from tests.reports.row_data import rows_of, verdicts
from tests.saved_run import PROBLEMS, small_run

ROOT = Path(__file__).resolve().parents[1]
ONE = Problem.parse("b1 h4 t128 d64 full fp32 cpu")
ABLE = "naive or torch_multi_head or (sdpa_flash and not multi_head)"
CASES = f"t128 and h4 and full and (local_window or {ABLE})"


def start(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`python -m pytest` with these words; pytest-benchmark leaves its files in the folder.

    Variables of the pytest that runs this test are left out: they make the child an xdist worker.
    """
    storage = f"--benchmark-storage={folder}"
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", storage, *words],
        cwd=ROOT,
        env={**inherited, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_a_case_is_grouped_by_problem_and_panel_and_carries_the_figures_of_the_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cases.json"
    quick = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=2")
    child = start(
        "suites/", "-rs", "-k", CASES, "--attnbench-sessions=2", *quick, "--benchmark-json",
        str(file), folder=tmp_path,
    )  # fmt: skip
    assert child.returncode == 0, child.stdout + child.stderr
    assert "3 passed, 1 skipped" in child.stdout
    assert "refused: mask full: takes window" in child.stdout
    assert "attnbench: session 2 of 2" in child.stdout
    made = {each["params"]["implementation"]: each for each in read(file)["benchmarks"]}
    groups = {name: each["group"] for name, each in made.items()}
    assert groups == {
        "naive": f"{ONE}",
        "sdpa_flash": f"{ONE}",
        "torch_multi_head": f"{ONE} layers",
    }
    assert made.pop("torch_multi_head")["extra_info"]["baseline"] == "torch_multi_head"
    for name, each in made.items():
        assert each["params"]["problem"] == str(ONE)
        assert each["name"] == f"test_attention[{name}-{ONE}]"
        assert_is_measured(each["extra_info"])
    assert_is_compared(made["naive"]["extra_info"])
    assert "ratio" not in made["sdpa_flash"]["extra_info"]


def assert_is_measured(found: dict[str, Any]) -> None:
    assert (found["sessions"], found["baseline"]) == (2, "sdpa_flash")
    assert found["low_ms"] <= found["median_ms"] <= found["high_ms"]
    assert 0 < found["share_of_bound"] < 1
    assert found["peak_bytes"] > found["kept_bytes"] >= 0
    assert found["floor"] > 0


def assert_is_compared(found: dict[str, Any]) -> None:
    assert found["ratio_low"] < found["ratio"] < found["ratio_high"]
    assert found["verdict"] in ("faster", "slower", "same", "inconclusive")


def test_the_run_holds_the_selected_cases_and_the_baseline() -> None:
    run, _ = small_run(baseline="sdpa_flash")
    cases = [
        {"implementation": name, "problem": PROBLEMS[2].key()} for name in ("chunked", "naive")
    ]
    plan = restricted(run.plan, cases, timed=True)
    assert plan.problems == (PROBLEMS[2],)
    assert [entry.name for entry in plan.entries] == ["naive", "chunked", "sdpa_flash"]
    assert plan.sessions == run.plan.sessions
    assert restricted(run.plan, cases, timed=False).sessions == 0


def test_an_invalid_number_of_sessions_is_an_error_with_a_message(tmp_path: Path) -> None:
    child = start("suites/", "--attnbench-sessions=none", folder=tmp_path)
    assert child.returncode == 4
    assert "--attnbench-sessions: 'none'; expected a number from 1 up" in child.stderr


def test_a_plain_pytest_does_not_collect_the_cases(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getini("testpaths") == ["tests"]
    assert pytestconfig.getini("python_files") == ["test_*.py"]


@pytest.mark.parametrize(
    ("implementation", "problem"),
    [("naive", PROBLEMS[0]), ("local_window", PROBLEMS[12]), ("torch_multi_head", PROBLEMS[3]),
     ("sdpa_flash", PROBLEMS[3]), ("multi_head", PROBLEMS[3])],
    ids=str,
)  # fmt: skip
def test_the_figures_of_a_case_are_those_of_the_report(
    implementation: str, problem: Problem
) -> None:
    run, records = small_run()
    found = figures(run.plan, records, implementation, problem)
    row = only(rows_of(measurements(run, records)), implementation, problem)
    assert row is not None
    assert {name: row.get(name) for name in found if name in row} == {
        name: value for name, value in found.items() if name in row
    }
    judged = only(verdicts(run, records), implementation, problem)
    if judged is None:
        assert (found["baseline"], "ratio" in found) == (implementation, False)
        return
    names = ("baseline", "ratio", "ratio_low", "ratio_high", "verdict", "floor")
    columns = ("baseline", "ratio", "low", "high", "verdict", "floor")
    assert [found[name] for name in names] == [judged[column] for column in columns]


def only(
    rows: list[dict[str, Any]], implementation: str, problem: Problem
) -> dict[str, Any] | None:
    pair = (implementation, str(problem))
    found = [r for r in rows if (r["implementation"], str(r["problem"])) == pair]
    assert len(found) < 2
    return found[0] if found else None


CAUSES: dict[Status, Cause] = {
    "wrong": "wrong_output",
    "failed": "exception",
    "crashed": "process_died",
    "out_of_memory": "memory_limit",
    "timed_out": "time_limit",
}


def ended(status: Status) -> Measured:
    """A run in which the implementation ended like this on the problem."""
    run, _ = small_run()
    record = Record(
        session=0,
        problem=ONE,
        implementation="naive",
        status=status,
        cause=CAUSES[status],
        reason="41 times the bound",
    )
    return Measured(run.plan, [record])


@pytest.mark.parametrize("status", ["wrong", "failed", "crashed"])
def test_a_case_with_a_fault_in_the_run_fails_before_any_call_here(status: Status) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"{status}: 41 times the bound"):
        ended(status).expect_answer("naive", ONE)


@pytest.mark.parametrize("status", ["out_of_memory", "timed_out"])
def test_a_case_that_exceeded_a_limit_in_the_run_is_skipped(status: Status) -> None:
    with pytest.raises(pytest.skip.Exception, match=f"{status}: 41 times the bound"):
        ended(status).expect_answer("naive", ONE)


def test_a_wrong_result_is_never_timed(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("def wrong(q, k, v):\n    return v * 1.0\n")
    entry = Entry(name="wrong", files={"wrong": str(file)}, limits=(Limits(),))
    run, _ = small_run(problems=(ONE,), made=(entry,))
    benchmark = Untouched()
    with pytest.raises(pytest.fail.Exception, match=r"sees keys 0\.\.0, expected 0\.\.127"):
        bench_attention.test_attention("wrong", ONE.key(), Measured(run.plan, []), benchmark)
    assert benchmark.calls == 0


class Untouched:
    """A stand-in for the fixture of pytest-benchmark that counts its calls."""

    def __init__(self) -> None:
        self.calls, self.enabled, self.extra_info = 0, False, dict[str, Any]()

    def __call__(self, call: Callable[[], object]) -> None:
        self.calls += 1
        call()


def test_a_correct_implementation_is_warmed_up_and_timed() -> None:
    files = {"naive": str(ROOT / "impls" / "naive.py")}
    entry = Entry(name="naive", files=files, limits=(Limits(),))
    run, _ = small_run(problems=(ONE,), made=(entry,))
    benchmark = Untouched()
    bench_attention.test_attention("naive", ONE.key(), Measured(run.plan, []), benchmark)
    assert benchmark.calls == 1
    (out,) = in_process.warm_call(entry, ONE)()
    assert out.shape == (1, 4, 128, 64)


def read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(file.read_text())
    return data
