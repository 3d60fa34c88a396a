"""The parts of a profile add up to the whole of the profiled call."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.measure import memory
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.profiler.events import CALL, events_of
from suites.measure.profiler.profiling import Profiled, profiled
from suites.measure.timing import HostClock
from suites.records.profile import ROOT

CLOSE = 0.02
"""Of the profiled call, that parts may be off."""
TRIES = 8
"""Calls of which the closest counts: another program may run between two readings of a clock."""
PROBLEMS = [
    ("naive", "b1 h4 t256 d64"),
    ("naive", "b1 h4 t256 d64 train"),
    ("chunked", "b1 h4 t256 d64"),
    ("chunked", "b1 h4 t256 d64 train"),
    ("local_window", "b1 h4 t256 d64 window:64"),
    ("local_window", "b1 h4 t256 d64 window:64 train"),
    ("multi_head", "b1 h4 t256 d64"),
    ("multi_head", "b1 h4 t256 d64 train"),
    ("sdpa_flash", "b1 h4 t256 d64"),
    ("sdpa_flash", "b1 h4 t256 d64 train"),
]


def warm(name: str, text: str) -> tuple[Callable[[], object], memory.Usage]:
    """A call that was made before, and its memory."""
    problem = Problem.parse(text)
    implementation = impls.select([name], impls.load())[0]
    assert isinstance(implementation, Implementation)
    preparation = Preparation(implementation)
    inputs = make_inputs(problem, purpose="profile", session=0, seed=1)
    held = [x for x in (inputs.q, inputs.k, inputs.v, inputs.grad) if x is not None]
    call = call_of(preparation.bind(problem, inputs), inputs)
    with preparation.first(problem, problem):
        made, usage = memory.measure(call, "cpu", held)
    del made
    call()
    return call, usage


def taken(name: str, text: str) -> tuple[Profiled, memory.Usage]:
    call, usage = warm(name, text)
    found = profiled(call, Problem.parse(text), HostClock(), usage.kept_bytes or 0)
    return found, usage


@pytest.mark.parametrize(("name", "text"), PROBLEMS)
def test_times_and_memory_add_up(name: str, text: str) -> None:
    found, usage = taken(name, text)
    nodes, held = found.nodes, found.memory
    whole = nodes[ROOT].total_ns
    assert sum(node.self_ns for node in nodes) == pytest.approx(whole, rel=CLOSE)
    for place, node in enumerate(nodes):
        below = sum(each.total_ns for each in nodes if each.parent == place)
        assert below + node.self_ns <= node.total_ns * (1 + CLOSE) or node.kind == "operator"
    assert found.no_lines == ""
    assert held.peak_bytes == usage.peak_bytes
    assert held.kept_bytes + sum(each.bytes for each in held.held) == held.peak_bytes
    assert all(nodes[each.line].kind == "line" for each in held.held)


@pytest.mark.parametrize(("name", "text"), PROBLEMS[::2])
def test_the_whole_is_the_time_of_the_call_on_a_clock_beside_it(name: str, text: str) -> None:
    call, _ = warm(name, text)
    off = []
    for _ in range(TRIES):
        clock: list[int] = []

        def timed(clock: list[int] = clock) -> object:
            clock.append(time.perf_counter_ns())
            made = call()
            clock.append(time.perf_counter_ns())
            return made

        root, _ = events_of(timed, shapes=False)
        (took_ns,) = [end - begin for begin, end in pairwise(clock)]
        assert root.name == CALL
        off.append(abs(root.took_ns / took_ns - 1))
    assert min(off) < CLOSE


def test_most_bytes_of_training_would_have_no_line_without_their_forward_operators() -> None:
    found, _ = taken("naive", "b1 h4 t256 d64 train")
    nodes = found.nodes

    def is_backward(place: int) -> bool:
        return place > ROOT and (
            "Backward" in nodes[place].name or is_backward(nodes[place].parent)
        )

    held = found.memory.held
    backward = sum(each.bytes for each in held if is_backward(each.node))
    assert backward > found.memory.peak_bytes / 2
    assert all(nodes[each.line].name.startswith("impls/naive.py:") for each in held)


def test_inputs_that_are_views_are_profiled_like_others() -> None:
    found, usage = taken("naive", "b1 h4 t128 d32 bthd")
    assert found.no_lines == ""
    assert found.memory.peak_bytes == usage.peak_bytes


def test_what_a_first_call_keeps_is_held_at_the_peak() -> None:
    found, usage = taken("sdpa_flash", "b1 h4 t256 d64 window:16")
    assert found.memory.kept_bytes == usage.kept_bytes == 256 * 256
    assert found.memory.peak_bytes == usage.peak_bytes
