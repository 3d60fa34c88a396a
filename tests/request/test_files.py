"""A workload and a list of problems as suites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from impls.interface import Limits, Problem
from suites.records.cases import Unexpressed
from suites.records.plan import Entry, Plan
from suites.records.workload import Header, Recorded, Unrecorded, Workload
from suites.request.files import listed, recorded
from suites.request.files.chosen import chosen
from suites.request.planning import plan_of, requested, specs_of
from suites.request.suites.suite import Gpu, Suite

HEADER = Header(command="python run/train.py --fast", machine={}, steps=10, step_ms=(50.0, 52.0))
CPU: dict[str, Any] = {"devices": [{"device": "cpu"}]}
SDPA = "scaled_dot_product_attention"
TRAIN = "b2 h4 t256 d32 causal train"


def call(
    problem: str, count: int = 40, place: str = "nn/model.py:31 in f", **more: Any
) -> Recorded:
    """A recorded call of scaled_dot_product_attention."""
    values = {"by": SDPA, "took_ms": 120.0, **more}
    return Recorded(problem=Problem.parse(problem), count=count, place=place, **values)


def file_of(folder: Path, *calls: Recorded, others: tuple[Unrecorded, ...] = ()) -> Path:
    """A workload file."""
    path = folder / "workload.jsonl"
    lines = Workload(header=HEADER, calls=calls, others=others).lines()
    path.write_text("\n".join(lines) + "\n")
    return path


def planned(suite: Suite, given: dict[str, Any] | None = None) -> Plan:
    """The plan of a suite with three implementations."""
    entries = tuple(Entry(name=n, limits=(Limits(),)) for n in ("sdpa_flash", "sdpa", "naive"))
    return plan_of(requested(suite, given or {}), CPU, entries, 4)


def test_a_call_is_a_case_with_calls_and_time_of_one_step(tmp_path: Path) -> None:
    path = file_of(tmp_path, call(TRAIN, backward_ms=200.0, threads=2))
    (case,) = planned(recorded.suite_of(path)).cases
    assert case.problem == Problem.parse(TRAIN)
    assert (case.count, case.took_ms, case.by) == (4.0, 8.0, SDPA)
    assert (case.label, case.source) == ("model.py:31 in f", "nn/model.py:31 in f")
    assert case.step == "step of train.py"


def test_a_training_call_without_its_backward_pass_has_no_time(tmp_path: Path) -> None:
    (case,) = planned(recorded.suite_of(file_of(tmp_path, call(TRAIN)))).cases
    assert case.took_ms is None


def test_calls_of_one_place_with_other_strides_are_one_case(tmp_path: Path) -> None:
    calls = call("t64", strides=((1, 2, 3, 4),)), call("t64", count=10, took_ms=180.0)
    (case,) = planned(recorded.suite_of(file_of(tmp_path, *calls))).cases
    assert case.count == 5.0
    assert case.took_ms == pytest.approx(300.0 / 50)


def test_a_problem_of_two_places_is_measured_once(tmp_path: Path) -> None:
    plan = planned(recorded.suite_of(file_of(tmp_path, call("t64"), call("t64", place="b.py:1"))))
    assert len(plan.cases) == 2
    assert plan.problems == (Problem.parse("t64"),)


def test_the_step_has_its_times_and_the_calls_that_no_problem_expresses(tmp_path: Path) -> None:
    other = Unrecorded(unexpressed="dropout 0.1", count=20, place="a.py:9", by=SDPA, took_ms=30.0)
    plan = planned(recorded.suite_of(file_of(tmp_path, call("t64"), others=(other,))))
    (step,) = plan.steps
    assert step.took_ms == HEADER.step_ms
    assert step.unexpressed == (
        Unexpressed(reason="dropout 0.1", count=2.0, took_ms=3.0, place="a.py:9"),
    )


def test_the_run_has_the_threads_and_the_function_of_the_script(tmp_path: Path) -> None:
    plan = planned(recorded.suite_of(file_of(tmp_path, call("t64", threads=3))))
    assert plan.suite == "workload"
    assert plan.threads == (3,)
    assert plan.baselines["cpu"][0] == "sdpa"
    assert plan.budget_s == recorded.WORKLOAD_BUDGET_S


def test_the_function_of_the_script_is_measured_beside_those_that_are_named(
    tmp_path: Path,
) -> None:
    suite = recorded.suite_of(file_of(tmp_path, call("t64")))
    assert specs_of(requested(suite, {"--impl": ["naive"]})) == ["naive", "sdpa"]
    assert specs_of(requested(suite, {"--impl": ["sdpa", "naive"]})) == ["sdpa", "naive"]


def test_five_hundred_lengths_are_twelve_problems_and_five_hundred_cases(tmp_path: Path) -> None:
    calls = [call(f"t1/{64 + n}") for n in range(500)]
    plan = planned(recorded.suite_of(file_of(tmp_path, *calls)))
    assert len(plan.problems) == 12
    assert len(plan.cases) == 500


def test_batches_that_differ_in_padding_share_a_few_measured_masks(tmp_path: Path) -> None:
    calls = [call(f"b2 t64 padding:0-{40 + n}/0-64") for n in range(20)]
    plan = planned(recorded.suite_of(file_of(tmp_path, *calls)))
    assert len(plan.problems) == recorded.MOST_MASKS
    assert sum(case.count for case in plan.cases) == 20 * 4.0
    replaced = [case for case in plan.cases if case.scaled]
    assert sum(case.count for case in replaced) == (20 - recorded.MOST_MASKS) * 4.0
    assert all("mask of another batch" in case.scaled for case in replaced)


def test_a_workload_of_cuda_is_refused_on_a_machine_without(tmp_path: Path) -> None:
    suite = recorded.suite_of(file_of(tmp_path, call("t64 cuda bf16")))
    with pytest.raises(ValueError, match=r"problems on cuda, this machine has cpu.*--device cpu"):
        planned(suite)


def test_with_a_device_it_is_measured_there_without_the_recorded_times(tmp_path: Path) -> None:
    path = file_of(tmp_path, call("t64 cuda bf16"))
    given = {"--workload": str(path), "--device": "cpu"}
    plan = planned(chosen("quick", given, is_typed=False), {"--device": "cpu"})
    (case,) = plan.cases
    assert (case.problem.device, case.took_ms, case.scaled) == ("cpu", None, "recorded on cuda")
    assert plan.steps[0].took_ms == ()


def test_the_device_it_was_recorded_on_keeps_the_times(tmp_path: Path) -> None:
    given = {"--workload": str(file_of(tmp_path, call("t64"))), "--device": "cpu"}
    (case,) = chosen("quick", given, is_typed=False).cases(("cpu",), Gpu())
    assert case.took_ms == 3.0


@pytest.mark.parametrize("option", ["--problem", "--seq", "--heads", "--mask", "--kv-heads"])
def test_options_that_replace_problems_are_refused_beside_a_file(
    option: str, tmp_path: Path
) -> None:
    given = {"--workload": str(file_of(tmp_path, call("t64"))), option: "t64"}
    with pytest.raises(ValueError, match=f"{option} beside --workload"):
        chosen("quick", given, is_typed=False)


@pytest.mark.parametrize("option", ["--problem", "--workload", "--problem-file"])
def test_a_typed_suite_is_refused_beside_other_problems(option: str) -> None:
    with pytest.raises(ValueError, match=rf"a suite \(quick\) and {option}"):
        chosen("quick", {option: "x"}, is_typed=True)


def test_two_files_are_refused() -> None:
    with pytest.raises(ValueError, match="--problem-file beside --workload"):
        chosen("quick", {"--workload": "a", "--problem-file": "b"}, is_typed=False)


def test_several_devices_are_refused_beside_a_workload(tmp_path: Path) -> None:
    given = {"--workload": str(file_of(tmp_path, call("t64"))), "--device": "cpu,cuda"}
    with pytest.raises(ValueError, match="expected one device"):
        chosen("quick", given, is_typed=False)


def test_a_workload_without_a_measurable_call_says_why(tmp_path: Path) -> None:
    other = Unrecorded(unexpressed="dropout 0.1", count=20, place="a.py:9", by=SDPA, took_ms=3.0)
    with pytest.raises(ValueError, match=r"no call that can be measured: dropout 0.1 \(20 calls\)"):
        recorded.suite_of(file_of(tmp_path, others=(other,)))


def problems(folder: Path, text: str) -> Path:
    """A file of problems."""
    path = folder / "problems.txt"
    path.write_text(text)
    return path


def test_a_line_has_a_count_a_problem_and_a_label(tmp_path: Path) -> None:
    text = "# all of it\n\n3x h8 t512 d64 causal  # encoder\nt64\n"
    suite = listed.suite_of(problems(tmp_path, text))
    encoder, plain = suite.cases(("cuda", "cpu"), Gpu())
    assert encoder.problem == Problem.parse("h8 t512 d64 causal cuda")
    assert (encoder.count, encoder.label, encoder.step) == (3.0, "encoder", "problems.txt")
    assert (plain.problem.device, plain.count, plain.label) == ("cuda", 1.0, "")


def test_a_line_that_comes_twice_counts_twice(tmp_path: Path) -> None:
    (case,) = listed.suite_of(problems(tmp_path, "2x t64\n3x t64\n")).cases(("cpu",), Gpu())
    assert case.count == 5.0


def test_without_counts_there_is_no_step(tmp_path: Path) -> None:
    (case,) = listed.suite_of(problems(tmp_path, "t64 # short\n")).cases(("cpu",), Gpu())
    assert case.step == ""


@pytest.mark.parametrize("line", ["t64 what", "0x t64", "h8 h4"])
def test_a_line_that_is_not_understood_is_named_with_its_number(line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"problems\.txt, line 2: "):
        listed.suite_of(problems(tmp_path, f"t64\n{line}\n"))


def test_a_file_without_problems_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no problem; expected one a line"):
        listed.suite_of(problems(tmp_path, "# nothing\n"))


@pytest.mark.parametrize("of", [listed.suite_of, recorded.suite_of])
def test_a_missing_file_is_named(of: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere (cannot be read|does not exist)"):
        of(tmp_path / "nowhere")
