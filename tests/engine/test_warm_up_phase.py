"""The thermal warm-up in a run: once, announced, and not counted as time of the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Problem
from suites.engine.messages import Surveyed
from suites.engine.pools import Receive
from suites.engine.protocol import Survey, Task
from suites.engine.watch import Ending
from suites.records.facts import SessionFacts, WarmUp
from tests.engine.test_conductor import (
    FakeSession,
    FakeTime,
    OnProblem,
    Stage,
    planned,
    right,
)

ON_CUDA = Problem.parse("t128 bf16 cuda")
WITH_GPU: dict[str, Any] = {"devices": [{"device": "cuda"}, {"device": "cpu"}]}
LOAD_S = 10.0


def staged(problem: Problem, *, start_s: float = 0.0, **changes: Any) -> tuple[Stage, list[bool]]:
    """A run on a machine with a GPU, and whether each survey asked for a warm-up.

    start_s  that a survey without a warm-up takes
    """
    time, surveys = FakeTime(), []

    class Session(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            if not isinstance(task, Survey):
                return super().ask(task, receive)
            surveys.append(task.warms_up)
            warmed = WarmUp(seconds=LOAD_S, before_c=40, after_c=60) if task.warms_up else None
            time.s += LOAD_S if task.warms_up else start_s
            receive(Surveyed(facts=SessionFacts(session=task.session, warm_up=warmed)))
            return None

    def answer(task: OnProblem, name: str) -> Any:
        time.s += 0.1
        return right(task, name)

    stage = Stage(
        planned("a", "b", problems=(problem,), **changes), answer, time=time, session=Session
    )
    stage.run = replace(stage.run, machine=WITH_GPU)
    return stage, surveys


def test_a_gpu_is_warmed_up_before_the_first_timed_session_alone() -> None:
    stage, surveys = staged(ON_CUDA)
    stage.conduct()
    assert surveys == [True, False]
    assert [text for text, _ in stage.listener.phases] == [
        "checking 2 implementations",
        "warming the GPU up, at most 10 s",
        "session 1 of 2",
        "session 2 of 2",
    ]


def test_problems_on_the_cpu_of_such_a_machine_need_no_warm_up() -> None:
    stage, surveys = staged(Problem.parse("t128 cpu"))
    stage.conduct()
    assert surveys == [False, False]
    assert not any("warming" in text for text, _ in stage.listener.phases)


@pytest.mark.parametrize("problem", [ON_CUDA, Problem.parse("t128 cpu")], ids=["cuda", "cpu"])
def test_its_seconds_take_no_session_away(problem: Problem) -> None:
    stage, _ = staged(problem, sessions=5, fewest_sessions=2, enough_s=5.0)
    made = stage.conduct()
    assert {record.session for record in made} == {0, 1, 2, 3, 4, 5}


def test_the_start_of_a_session_on_a_gpu_is_no_part_of_a_forecast_of_its_problems() -> None:
    stage, surveys = staged(ON_CUDA, start_s=1.0, sessions=4)
    left_s: list[float] = []
    stage.conduct(lambda _, left: left_s.append(left.seconds))
    assert surveys == [True, False, False, False]
    second, third, last = left_s[-3:]
    assert last < 1.0
    assert second - third == pytest.approx(third - last, abs=0.1)
    assert third - last > 1.0  # a later session is its start and its problems
