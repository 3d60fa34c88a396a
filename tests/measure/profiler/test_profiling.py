from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from types import FrameType

import pytest
import torch

from impls.interface import Problem
from suites.measure.profiler import events
from suites.measure.profiler.placing import OTHER_PATH, placed
from suites.measure.profiler.profiling import BUDGET_MS, REPEATS, Profiled, profiled
from suites.measure.timing import HostClock
from suites.records.profile import ROOT, UNPLACED

PROBLEM = Problem.parse("b1 h1 t8 d8")
X = torch.ones(8, 8)


def taken(call: object, pair_ms: float = 0.0) -> Profiled:
    """The profile of a call; every pair takes so long on a clock made up here."""
    ticks = count(0, int(pair_ms * 1e6))
    return profiled(call, PROBLEM, HostClock(), 0, now_ns=lambda: next(ticks))  # type: ignore[arg-type] # a call


def test_plain_and_profiled_calls_are_as_many() -> None:
    found = taken(X.exp)
    assert len(found.plain_ms) == len(found.profiled_ms) == REPEATS


def test_the_call_with_the_median_time_gives_the_tree() -> None:
    found = taken(X.exp)
    assert found.nodes[ROOT].total_ns / 1e6 == sorted(found.profiled_ms)[REPEATS // 2]


@pytest.mark.parametrize(
    ("pair_ms", "pairs"), [(BUDGET_MS * 2, 1), (BUDGET_MS / 2.5, 3), (BUDGET_MS / 100, REPEATS)]
)
def test_slow_calls_have_fewer_pairs_and_one_at_least(pair_ms: float, pairs: int) -> None:
    assert len(taken(X.exp, pair_ms).profiled_ms) == pairs


def test_a_call_that_runs_other_operators_when_annotated_has_no_lines() -> None:
    def call() -> torch.Tensor:
        return X.sin() if sys.gettrace() else X.exp()

    before = sys.gettrace()
    sys.settrace(None)  # of a debugger or a coverage tool
    try:
        found = taken(call)
    finally:
        sys.settrace(before)
    assert found.no_lines == OTHER_PATH
    assert "aten::exp" in [node.name for node in found.nodes]
    assert not [node for node in found.nodes if node.kind == "line"]
    (held,) = found.memory.held
    assert (held.bytes, held.line) == (X.nbytes, UNPLACED)


def test_memory_that_differs_when_annotated_has_lines_of_its_operators_and_no_shapes() -> None:
    sizes = count(8)

    def call() -> torch.Tensor:
        return torch.ones(next(sizes)).exp()

    found = taken(call)
    assert found.no_lines == ""
    assert all(held.line > ROOT and not held.shape for held in found.memory.held)


def test_a_call_that_raises_while_annotated_raises() -> None:
    def call() -> torch.Tensor:
        if any(each.f_code is annotated for each in _frames()):
            raise RuntimeError("planted")
        return X.exp()

    annotated = placed.__code__
    with pytest.raises(RuntimeError, match="planted"):
        taken(call)
    assert taken(X.exp).no_lines == ""


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def test_a_call_with_too_many_events_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 0)
    with pytest.raises(ValueError, match="profile a smaller problem"):
        taken(X.exp)


def test_an_implementation_that_caches_its_result_has_no_operators() -> None:
    made = X.exp()
    found = taken(lambda: made)
    assert [node.kind for node in found.nodes] == ["call", "python"]
    assert found.memory.peak_bytes == 0
    assert found.kernels == ()
