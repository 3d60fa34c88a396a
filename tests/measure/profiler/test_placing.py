"""Every operator has the line that ran it, whatever way Python came to that line."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from suites.measure.profiler import placing
from suites.measure.profiler.events import Event
from suites.measure.profiler.placing import placed
from suites.measure.profiler.source_lines import MARK, Lines
from tests.measure.profiler import lines_by_hand
from tests.measure.profiler.lines_by_hand import Call, line_of

FILE = "tests/measure/profiler/lines_by_hand.py"
X = torch.ones(4, 4)


def lines(call: Call) -> dict[str, list[tuple[int, ...]]]:
    """By operator: the numbers of the lines of each of its calls, outermost first."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for each in placed(lambda: call(X), "cpu").operators:
        own = [line for line in each.stack if line.startswith(f"{FILE}:")]
        numbers = tuple(int(line.split(":")[1].split()[0]) for line in own)
        found.setdefault(each.event.name, []).append(numbers)
    return found


def marked(*marks: str) -> tuple[int, ...]:
    return tuple(map(line_of, marks))


def test_operators_behind_symbols_have_their_lines() -> None:
    found = lines(lines_by_hand.slots)
    assert found["aten::matmul"] == [marked("product")]
    assert found["aten::mm"] == [marked("product")]
    assert found["aten::mul_"] == [marked("in place")]
    assert found["aten::neg"] == [marked("negative")]


def test_a_function_within_a_function_has_both_lines() -> None:
    found = lines(lines_by_hand.nested)
    assert found["aten::exp"] == [marked("calls inner", "inner")]
    assert found["aten::sin"] == [marked("after inner")]


def test_after_a_lambda_the_line_of_its_caller_is_back() -> None:
    found = lines(lines_by_hand.with_lambda)
    assert found["aten::exp"] == [marked("calls lambda", "lambda")]
    assert found["aten::sin"] == [marked("calls lambda")]


def test_elements_of_a_comprehension_have_its_lines() -> None:
    found = lines(lines_by_hand.comprehension)
    assert [each[-1] for each in found["aten::exp"]] == [*marked("element")] * 2
    assert [each[-1] for each in found["aten::sin"]] == [*marked("sources")]


def test_a_generator_that_continues_has_its_own_line_again() -> None:
    found = lines(lines_by_hand.generated)
    assert found["aten::exp"] == [marked("asks first", "first step")]
    assert found["aten::cos"] == [marked("between")]
    assert found["aten::sin"] == [marked("asks second", "second step")]
    assert found["aten::add"] == [marked("asks second")]


def test_a_module_is_called_through_torch_whose_lines_are_left_out() -> None:
    (each,) = [
        each
        for each in placed(lambda: lines_by_hand.module(X), "cpu").operators
        if each.event.name == "aten::exp"
    ]
    assert [line.split()[0] for line in each.stack[-2:]] == [
        f"{FILE}:{line_of('calls module')}",
        f"{FILE}:{line_of('forward')}",
    ]
    assert not any("torch/nn" in line for line in each.stack)


def test_a_backward_pass_in_python_has_its_own_lines() -> None:
    found = lines(lines_by_hand.own_backward)
    assert found["aten::exp"][0][-1:] == marked("own forward")
    assert found["aten::sin"][0][-1:] == marked("own backward")
    assert found["aten::mul"][0][-1:] == marked("own backward")


def test_a_backward_operator_has_the_line_of_its_forward_operator() -> None:
    found = lines(lines_by_hand.built_in_backward)
    assert found["SinBackward0"] == [marked("forward of sin")]
    assert found["ExpBackward0"] == [marked("forward of exp")]
    assert found["aten::cos"] == [marked("forward of sin")]
    assert found["aten::mul"] == [marked("forward of sin"), marked("forward of exp")]


def test_operators_of_another_thread_of_python_are_not_seen_and_disturb_no_lines() -> None:
    found = lines(lines_by_hand.threaded)
    assert "aten::exp" not in found
    assert found["aten::sin"] == [marked("own thread")]


def test_after_an_exception_that_is_caught_the_line_is_right() -> None:
    assert lines(lines_by_hand.caught)["aten::sin"] == [marked("after exception")]


@pytest.mark.parametrize("call", [lines_by_hand.slots, lines_by_hand.raising])
def test_a_trace_function_that_was_set_before_is_put_back(call: Call) -> None:
    calls: list[str] = []

    def before(frame: Any, event: str, argument: Any) -> None:
        calls.append(event)

    outer = sys.gettrace()
    sys.settrace(before)
    try:
        if call is lines_by_hand.raising:
            with pytest.raises(ValueError, match="planted"):
                placed(lambda: call(X), "cpu")
        else:
            placed(lambda: call(X), "cpu")
        assert sys.gettrace() is before
    finally:
        sys.settrace(outer)


def test_after_a_call_that_raised_another_one_is_placed() -> None:
    with pytest.raises(ValueError, match="planted"):
        placed(lambda: lines_by_hand.raising(X), "cpu")
    assert lines(lines_by_hand.slots)["aten::neg"] == [marked("negative")]


def test_shapes_are_those_of_later_use_and_views_have_their_own() -> None:
    view = torch.ones(2, 3, 4).transpose(0, 1)

    def call() -> torch.Tensor:
        return (view * 2.0).sum()

    found = placed(call, "cpu")
    (times,) = [each for each in found.operators if each.event.name == "aten::mul"]
    (tensor, *_) = [each for each in times.inputs if each is not None and each.sizes]
    assert (tensor.sizes, tensor.strides, tensor.dtype) == ((3, 2, 4), (4, 12, 1), "float32")
    assert "3x2x4 float32" in found.shapes.values()


def test_an_allocation_has_the_line_that_was_executed() -> None:
    found = placed(lambda: lines_by_hand.nested(X), "cpu")
    made = [stack[-1] for event, stack in found.allocations if event.changed > 0]
    assert [line.split()[0] for line in made] == [
        f"{FILE}:{line_of('inner')}",
        f"{FILE}:{line_of('after inner')}",
    ]


def test_a_backward_operator_in_another_thread_has_the_line_of_its_forward_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU. The line is found by the number that both operators share."""

    def annotation(line: int, at: int) -> Event:
        return Event("annotation", f"{MARK}{line}", at, at)

    mul = Event("operator", "aten::mul", 12, 20, sequence=5)
    exp = Event("operator", "aten::exp", 22, 29, sequence=6)
    made = Event("memory", "", 41, 41, thread=2, changed=64)
    grad = Event("operator", "aten::mul", 40, 45, thread=2, within=[made])
    backward = Event(
        "operator", "MulBackward0", 39, 50, thread=2, sequence=5, is_backward=True, within=[grad]
    )
    root = Event(
        "annotation", "call", 10, 60,
        within=[annotation(0, 11), mul, annotation(1, 21), exp, annotation(2, 30), backward],
    )  # fmt: skip

    def recorded(call: Any, **_: Any) -> tuple[Event, None]:
        call()
        return root, None

    monkeypatch.setattr(placing, "events_of", recorded)
    lines = Lines([("a.py:1 f",), ("a.py:2 f",), ("a.py:3 f",)])
    monkeypatch.setattr(placing, "Lines", lambda: lines)
    found = placed(lambda: None, "cuda")
    assert [(each.event.name, each.stack[0]) for each in found.operators] == [
        ("aten::mul", "a.py:1 f"),
        ("aten::exp", "a.py:2 f"),
        ("MulBackward0", "a.py:1 f"),
        ("aten::mul", "a.py:1 f"),
    ]
    assert [(event.changed, stack) for event, stack in found.allocations] == [(64, ("a.py:1 f",))]
