"""Raw files of processes added up: counts, times and steps of lines written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from suites.recording.collecting import Collected, collect
from suites.records.workload import Recorded

CALL = {
    "place": "a.py:3 f", "by": "scaled_dot_product_attention", "shapes": [[1, 2, 8, 4]] * 3,
    "strides": [[64, 32, 4, 1]] * 3, "dtype": "float32", "device": "cpu", "mask": "none",
    "left": None, "right": None, "padding": None, "documents": None, "rows": None, "bias": "",
    "scale": None, "softcap": None, "sink": False, "grad": False, "threads": 2, "reason": "",
}  # fmt: skip
MS = 1_000_000


def collected(
    folder: Path, *files: list[Any], steps: int | None = None, end: str = ""
) -> Collected:
    for number, lines in enumerate(files):
        text = "".join(json.dumps(each) + "\n" for each in [{"process": number}, *lines])
        (folder / f"{number}.jsonl").write_text(text + end)
    return collect(folder, command="python a.py", ended="exit status 0", steps=steps)


def the_call(found: Collected) -> Recorded:
    (call,) = found.workload.calls
    return call


def test_the_first_call_counts_like_the_mean_of_the_others(tmp_path: Path) -> None:
    times: list[Any] = [[0, 0, 500 * MS], [0, 600 * MS, 1 * MS], [0, 700 * MS, 3 * MS]]
    call = the_call(collected(tmp_path, [{"call": 0, **CALL}, *times]))
    assert (call.count, call.took_ms) == (3, 6.0)


def test_a_single_call_keeps_its_time(tmp_path: Path) -> None:
    call = the_call(collected(tmp_path, [{"call": 0, **CALL}, [0, 0, 5 * MS]]))
    assert (call.count, call.took_ms, call.backward_ms) == (1, 5.0, None)


def test_the_attention_of_a_layer_is_the_part_that_was_timed_alone(tmp_path: Path) -> None:
    lines = [[0, 0, 90 * MS], ["part", 0, 9 * MS], [0, 1, 90 * MS], ["part", 0, 2 * MS],
             [0, 2, 90 * MS], ["part", 0, 3 * MS]]  # fmt: skip
    assert the_call(collected(tmp_path, [{"call": 0, **CALL}, *lines])).took_ms == 9.0


def test_a_call_whose_time_was_lost_counts_like_the_others(tmp_path: Path) -> None:
    lines = [[0, 0, None], ["time", 0, 4 * MS], [0, 1, None], ["time", 0, 4 * MS], [0, 2, None]]
    call = the_call(collected(tmp_path, [{"call": 0, **CALL}, *lines]))
    assert (call.count, call.took_ms) == (3, 12.0)


def test_calls_with_and_without_backward_pass_are_apart(tmp_path: Path) -> None:
    lines = [[0, 0, MS], [0, 1, MS], [0, 2, MS], ["backward", 0, 2 * MS], ["backward", 0, None]]
    found = collected(tmp_path, [{"call": 0, **CALL, "grad": True}, *lines]).workload.calls
    assert [(c.problem.training, c.count, c.took_ms, c.backward_ms) for c in found] == [
        (True, 2, 2.0, 4.0),
        (False, 1, 1.0, None),
    ]


def test_equal_calls_of_processes_are_one_line(tmp_path: Path) -> None:
    lines = [{"call": 0, **CALL}, [0, 0, MS]]
    found = collected(tmp_path, lines, lines)
    assert (the_call(found).count, found.workload.header.processes) == (2, 2)


def test_calls_from_other_places_are_other_lines(tmp_path: Path) -> None:
    lines = [{"call": 0, **CALL}, {"call": 1, **CALL, "place": "a.py:9 g"}, [0, 0, MS], [1, 1, MS]]
    assert [c.place for c in collected(tmp_path, lines).workload.calls] == ["a.py:3 f", "a.py:9 g"]


def test_steps_are_those_of_the_optimizer_with_the_most(tmp_path: Path) -> None:
    steps = [["step", 0, 10 * MS], ["step", 1, 11 * MS], ["step", 0, 30 * MS], ["step", 0, 60 * MS]]
    header = collected(tmp_path, [{"call": 0, **CALL}, [0, 0, MS], *steps]).workload.header
    assert (header.steps, header.step_ms) == (3, (20.0, 30.0))


def test_stated_steps_are_timed_where_the_calls_divide(tmp_path: Path) -> None:
    calls = [[0, start * MS, MS] for start in (0, 1, 10, 11, 30, 31, 60, 61)]
    header = collected(tmp_path, [{"call": 0, **CALL}, *calls], steps=4).workload.header
    assert (header.steps, header.step_ms) == (4, (20.0, 30.0))


@pytest.mark.parametrize("steps", [None, 3])
def test_else_a_step_is_a_part_of_the_whole(tmp_path: Path, steps: int | None) -> None:
    calls = [[0, 0, MS], [0, 59 * MS, MS]]
    header = collected(tmp_path, [{"call": 0, **CALL}, *calls], steps=steps).workload.header
    assert (header.steps, header.step_ms) == (steps or 1, (60.0 / (steps or 1),))


def test_a_line_that_a_killed_process_did_not_finish_is_left_out(tmp_path: Path) -> None:
    call = the_call(collected(tmp_path, [{"call": 0, **CALL}, [0, 0, MS]], end="[0, 12"))
    assert call.count == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reason": "dropout 0.1"}, "dropout 0.1"),
        ({"dtype": "float8_e4m3fn"}, "unknown dtype 'float8_e4m3fn'"),
        ({"device": "xpu"}, "unknown device 'xpu'"),
        ({"scale": 0.0}, "scale is 0"),
    ],
)
def test_what_the_grammar_cannot_express_is_named(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    found = collected(tmp_path, [{"call": 0, **CALL, **change}, [0, 0, MS]]).workload
    assert found.calls == ()
    assert found.others[0].unexpressed.startswith(reason)
    assert found.others[0].shapes == ((1, 2, 8, 4),) * 3


def test_the_first_call_keeps_its_own_time(tmp_path: Path) -> None:
    times: list[Any] = [[0, 0, 500 * MS], [0, 600 * MS, 1 * MS], [0, 700 * MS, 3 * MS]]
    lines: list[Any] = [{"call": 0, **CALL}, *times]
    slower: list[Any] = [{"call": 0, **CALL}, [0, 0, 600 * MS], [0, 700 * MS, 1 * MS]]
    assert the_call(collected(tmp_path, lines, slower)).first_ms == 600.0


def test_the_first_call_of_a_layer_is_not_that_of_its_attention(tmp_path: Path) -> None:
    lines = [{"call": 0, **CALL}, [0, 0, 90 * MS], ["part", 0, 9 * MS]]
    assert the_call(collected(tmp_path, lines)).first_ms is None


def test_calls_without_a_problem_keep_their_backward_time(tmp_path: Path) -> None:
    lines = [[0, 0, 3 * MS], [0, 1, 3 * MS], ["backward", 0, 2 * MS], ["backward", 0, 2 * MS]]
    found = collected(tmp_path, [{"call": 0, **CALL, "reason": "dropout 0.1"}, *lines])
    (other,) = found.workload.others
    assert (other.took_ms, other.backward_ms, other.training) == (10.0, 4.0, True)
    unseen = [[0, 0, 3 * MS], ["backward", 0, None]]
    found = collected(tmp_path, [{"call": 0, **CALL, "reason": "dropout 0.1"}, *unseen])
    (other,) = found.workload.others
    assert (other.took_ms, other.backward_ms, other.training) == (3.0, None, True)


def test_a_profiled_step_is_read_and_is_no_time_of_a_step(tmp_path: Path) -> None:
    ends: list[Any] = [["step", 0, 10 * MS], ["step", 0, 30 * MS], ["step", 0, 50 * MS]]
    operators = [["aten::mm", "forward", False, 2, 1.5]]
    lines = [
        {"call": 0, **CALL}, [0, 0, 4 * MS], [0, 1, 4 * MS], *ends, [0, 2, None],
        {"profiled": 400.0, "operators": operators}, ["profiled", 0, 500 * MS],
        ["step", 0, 520 * MS],
    ]  # fmt: skip
    found = collected(tmp_path, lines)
    assert (found.workload.header.steps, found.workload.header.step_ms) == (5, (20.0, 20.0, 20.0))
    assert found.profiled is not None
    assert (found.profiled.took_ms, found.profiled.operators[0].name) == (400.0, "aten::mm")
    assert the_call(found).took_ms == 12.0


def test_the_reason_why_no_step_was_profiled_is_read(tmp_path: Path) -> None:
    lines = [{"call": 0, **CALL}, [0, 0, MS], {"unprofiled": "a profiler of its own"}]
    found = collected(tmp_path, lines)
    assert (found.profiled, found.unprofiled) == (None, "a profiler of its own")
