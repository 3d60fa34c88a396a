"""An error of a kernel is raised in the turn of its implementation, and ends the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import torch

from impls.interface import Problem
from suites.engine.capturing import Capturing
from suites.engine.messages import Made
from suites.engine.outcome import fault_of, recorded
from suites.engine.pipe import Receiver, Sender
from suites.engine.protocol import Check, Measure
from suites.engine.turns import WatchedTurns
from suites.measure.graph import NotCapturableError
from suites.measure.rounds import Arm
from suites.measure.timing import HostClock, HotSampler
from suites.process_state import system
from suites.process_state.state import ProcessState
from suites.process_state.watched import Watched
from suites.records.record import Record
from suites.records.settings import Settings
from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime

CUDA: Final = Problem.parse("b1 h2 t32 d16 cuda")
SETTINGS: Final = Settings(sessions=1, memory_limit=1 << 30, threads=(1,))
TASK: Final = Check(
    session=0, problem=CUDA, implementations=("a",), files={}, seed=1, settings=SETTINGS
)
OK: Final = Record(session=0, problem=CUDA, implementation="a", status="ok")


class EndedError(Exception):
    """The process ended."""


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    def ended(code: int) -> None:
        raise EndedError(code)

    with stand_in() as runtime:
        monkeypatch.setattr("os._exit", ended)
        yield runtime


@pytest.fixture
def pipe() -> Iterator[tuple[Sender, Callable[[], list[Record]]]]:
    read, write = os.pipe()

    def records() -> list[Record]:
        messages = Receiver().feed(os.read(read, 1 << 16))
        return [each.record for each in messages if isinstance(each, Made)]

    yield Sender(write), records
    os.close(read)
    os.close(write)
    system._open_at_first.cache_clear()  # these descriptors may be among those it remembers


Pipe = tuple[Sender, Callable[[], list[Record]]]


def launch_an_assert() -> None:
    """Launch a kernel that fails; the host does not wait for it."""
    torch._assert_async(torch.zeros((), device="cuda"))


def test_an_error_that_no_call_has_waited_for_is_its_implementations_and_ends_the_process(
    pipe: Pipe,
) -> None:
    def work() -> Record:
        launch_an_assert()
        return OK

    with pytest.raises(EndedError):
        recorded(TASK, "a", pipe[0], work)
    (made,) = pipe[1]()
    assert (made.implementation, made.status, made.cause) == ("a", "failed", "device_error")
    assert made.reason.startswith("the device failed: CUDA error: device-side assert triggered; ")
    assert "CUDA_LAUNCH_BLOCKING=1" in made.reason


def test_another_exception_does_not_hide_it(pipe: Pipe) -> None:
    def work() -> Record:
        launch_an_assert()
        raise ValueError("no such luck")

    with pytest.raises(EndedError):
        recorded(TASK, "a", pipe[0], work)
    assert [made.cause for made in pipe[1]()] == ["device_error"]


def test_the_reason_has_the_first_line_of_cudas_message_and_the_place(pipe: Pipe) -> None:
    def work() -> Record:
        error = RuntimeError("CUDA error: misaligned address\nCUDA kernel errors might be reported")
        error.add_note("on lengths 1")
        raise error

    with pytest.raises(EndedError):
        recorded(TASK, "a", pipe[0], work)
    (made,) = pipe[1]()
    expected = "the device failed: CUDA error: misaligned address (on lengths 1); set CUDA_LAUNCH"
    assert made.reason.startswith(expected)


def test_too_little_memory_of_a_library_is_no_fault(pipe: Pipe) -> None:
    def work() -> Record:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")

    with pytest.raises(EndedError):
        recorded(TASK, "a", pipe[0], work)
    assert [(made.status, made.cause) for made in pipe[1]()] == [("out_of_memory", "device_memory")]


def test_an_error_of_a_turn_is_raised_before_the_next_turn_begins(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = WatchedTurns(pipe[0], CUDA, ["a", "b"], ProcessState())
    monkeypatch.setattr("suites.engine.turns.gc.disable", lambda: None)
    turns.announce(0)
    launch_an_assert()
    with pytest.raises(torch.AcceleratorError):
        turns.announce(1)
    assert turns.latest == "a"


def test_an_error_of_the_last_turn_is_raised_at_the_end_of_all_turns(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = WatchedTurns(pipe[0], CUDA, ["a", "b"], ProcessState())
    monkeypatch.setattr("suites.engine.turns.gc.disable", lambda: None)
    turns.announce(1)
    launch_an_assert()
    with pytest.raises(torch.AcceleratorError):
        turns.end()
    assert turns.latest == "b"


class AssertedWhenCaptured:
    """Graphs whose capture fails because of a kernel."""

    def sampler(self, *_: object) -> None:
        launch_an_assert()
        raise NotCapturableError("operation failed due to a previous error", started=True)


def test_a_kernel_that_fails_in_a_capture_is_a_fault_and_no_refusal(pipe: Pipe) -> None:
    inputs = Watched("the inputs", lambda: 0)
    task = Measure(
        session=1,
        problem=CUDA,
        implementations=("a",),
        files={},
        seed=1,
        settings=SETTINGS,
        round_budget_ms=1.0,
        threads=1,
        sampler="graph",
    )
    arm = Arm("a", [lambda: None], 0.01, HotSampler(HostClock()))
    graphs: Any = AssertedWhenCaptured()
    with pytest.raises(EndedError):
        Capturing(task, pipe[0], inputs).capture([arm], lambda: graphs)
    assert [(made.implementation, made.cause) for made in pipe[1]()] == [("a", "device_error")]


def test_a_trial_of_a_reading_ends_the_process_too() -> None:
    def work() -> str:
        launch_an_assert()
        return ""

    with pytest.raises(EndedError):
        fault_of(work)
