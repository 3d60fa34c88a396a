"""The cross-check by triton's do_bench: whatever it raises or changes costs that figure only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
import torch

from impls.interface import Problem
from suites.engine import cross_checking
from suites.engine.cross_checking import LONGEST_MS, cross_checked
from suites.engine.messages import Prepares
from suites.engine.pipe import Receiver, Sender
from suites.measure.rounds import Arm
from suites.measure.timing import Call, HostClock, HotSampler
from suites.process_state import system
from suites.process_state.state import ProcessState
from suites.records.record import Record

CUDA = Problem.parse("b1 h2 t32 d16 cuda")
OK = Record(session=1, problem=CUDA, implementation="a", status="ok", times_ms=(1.0,), notes=("x",))
ASSERT = torch.AcceleratorError("CUDA error: device-side assert triggered")


@pytest.fixture
def pipe() -> Iterator[tuple[Sender, Callable[[], list[object]]]]:
    read, write = os.pipe()
    yield Sender(write), lambda: list(Receiver().feed(os.read(read, 1 << 16)))
    os.close(read)
    os.close(write)
    system._open_at_first.cache_clear()  # these descriptors may be among those it remembers


def arm(call_ms: float = 1.0) -> Arm:
    return Arm("a", [lambda: None], call_ms, HotSampler(HostClock()))


def bench(monkeypatch: pytest.MonkeyPatch, work: Callable[[], float | None]) -> None:
    def cross_check_ms(call: Call) -> float | None:
        call()
        return work()

    monkeypatch.setattr(cross_checking, "cross_check_ms", cross_check_ms)


def raising(error: BaseException) -> Callable[[], float]:
    def work() -> float:
        raise error

    return work


Pipe = tuple[Sender, Callable[[], list[object]]]


def test_the_figure_is_on_the_record_and_triton_has_the_limit_of_preparing(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    bench(monkeypatch, lambda: 1.25)
    found = cross_checked(OK, arm(), pipe[0])
    assert (found.cross_check_ms, found.notes, found.times_ms) == (1.25, ("x",), (1.0,))
    assert pipe[1]() == [Prepares(begins=True), Prepares(begins=False)]


def test_without_triton_the_record_says_nothing(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    bench(monkeypatch, lambda: None)
    assert cross_checked(OK, arm(), pipe[0]) == OK


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Failed to find C compiler. Please specify via CC environment variable"),
        AssertionError("libcuda.so cannot found!\n"),
        ZeroDivisionError("float division by zero"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_a_failure_costs_the_figure_only_and_its_reason_is_noted(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe, error: Exception
) -> None:
    bench(monkeypatch, raising(error))
    found = cross_checked(OK, arm(), pipe[0])
    assert (found.status, found.times_ms, found.cross_check_ms) == ("ok", (1.0,), None)
    reason = f"{type(error).__name__}: {error}".strip()
    assert found.notes == ("x", f"no cross-check: triton's do_bench raised {reason}")
    assert pipe[1]() == [Prepares(begins=True), Prepares(begins=False)]


@pytest.mark.parametrize("error", [None, RuntimeError("no compiler")])
def test_process_state_that_triton_changes_is_restored(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe, error: Exception | None
) -> None:
    def work() -> float:
        torch.set_grad_enabled(False)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        if error:
            raise error
        return 1.0

    bench(monkeypatch, work)
    before = ProcessState()
    cross_checked(OK, arm(), pipe[0])
    assert before.changes() == ""


def test_a_kernel_that_fails_in_it_is_the_fault_of_the_implementation(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe
) -> None:
    bench(monkeypatch, raising(ASSERT))
    with pytest.raises(torch.AcceleratorError):
        cross_checked(OK, arm(), pipe[0])


@pytest.mark.parametrize(
    ("made", "call_ms"),
    [
        (Record(session=2, problem=CUDA, implementation="a", status="ok", times_ms=(1.0,)), 1.0),
        (
            Record(
                session=1,
                problem=Problem.parse("b1 h2 t32 d16 cpu"),
                implementation="a",
                status="ok",
                times_ms=(1.0,),
            ),
            1.0,
        ),
        (
            Record(
                session=1,
                problem=CUDA,
                implementation="a",
                status="wrong",
                cause="wrong_when_timed",
                reason="off",
            ),
            1.0,
        ),
        (OK, LONGEST_MS + 1),
    ],
)
def test_other_records_are_not_cross_checked(
    monkeypatch: pytest.MonkeyPatch, pipe: Pipe, made: Record, call_ms: float
) -> None:
    bench(monkeypatch, raising(RuntimeError("called")))
    assert cross_checked(made, arm(call_ms), pipe[0]) == made
