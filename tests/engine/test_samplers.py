"""One sampler for all sessions of a problem: decided once, and kept by the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Problem
from suites.engine.messages import Made, Uncapturable
from suites.engine.pools import Receive
from suites.engine.protocol import Measure, Survey, Task
from suites.engine.samplers import Samplers
from suites.engine.watch import Ending
from suites.records.record import Record
from tests.engine.test_conductor import (
    LARGE,
    SMALL,
    FakeSession,
    OnProblem,
    Stage,
    planned,
    right,
)

Tasks = list[Measure]
REASON = "operation not permitted when stream is capturing"


def by(clock: str, **changes: Any) -> Callable[[OnProblem, str], Record]:
    """Records whose timed samples were taken so; of the first session only."""

    def answer(task: OnProblem, name: str) -> Record:
        made = right(task, name)
        first = isinstance(task, Measure) and task.session == 1
        return replace(made, clock=clock, **changes) if first else made

    return answer


def watched(tasks: Tasks) -> type[FakeSession]:
    """Sessions that keep the tasks of measuring."""

    class Watched(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            if isinstance(task, Measure):
                tasks.append(task)
            return super().ask(task, receive)

    return Watched


@pytest.mark.parametrize("clock", ["graph", "events"])
def test_the_first_session_decides_the_sampler_of_the_later_ones(clock: str) -> None:
    tasks: Tasks = []
    Stage(planned("a", "b", sessions=3), by(clock), session=watched(tasks)).conduct()
    assert [(task.session, task.sampler) for task in tasks] == [
        *((1, ""), (1, "")),
        *((2, clock), (2, clock)),
        *((3, clock), (3, clock)),
    ]


@pytest.mark.parametrize(
    ("clock", "changes"), [("host", {}), ("cold events", {}), ("events", {"in_rounds": False})]
)
def test_other_clocks_and_long_calls_decide_nothing(clock: str, changes: dict[str, Any]) -> None:
    tasks: Tasks = []
    Stage(planned("a"), by(clock, **changes), session=watched(tasks)).conduct()
    assert {task.sampler for task in tasks} == {""}


def test_a_resumed_run_keeps_the_sampler_of_its_stored_records() -> None:
    def interrupted(task: OnProblem, name: str) -> Record:
        if isinstance(task, Measure) and task.session == 2:
            raise KeyboardInterrupt
        return by("graph")(task, name)

    tasks: Tasks = []
    stage = Stage(planned("a"), interrupted, session=watched(tasks))
    with pytest.raises(KeyboardInterrupt):
        stage.conduct()
    tasks.clear()
    stage.answer = right
    stage.conduct()
    assert [(task.session, task.sampler) for task in tasks] == [(2, "graph")] * 2


def uncapturable(tasks: Tasks, name: str, problem: Problem, most: int = 9) -> type[FakeSession]:
    """Sessions whose process ends because the capture of this implementation fails."""

    class Fails(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            if isinstance(task, Measure):
                tasks.append(task)
                graphs = task.sampler != "events" and not task.uncapturable
                if task.problem == problem and name in task.implementations and graphs:
                    for each in task.implementations[:1]:  # its set-up alone had failed before
                        if each == "fails":
                            receive(Made(record=failure(task, each)))
                    receive(Uncapturable(implementation=name, reason=REASON))
                    return Ending("crashed", "process_died", "ended with status 0")
            return super().ask(task, receive)

    return Fails


def failure(task: Measure, name: str) -> Record:
    return Record(
        session=task.session,
        problem=task.problem,
        implementation=name,
        status="failed",
        cause="exception",
        reason="too bad",
    )


def test_after_a_failed_capture_a_new_process_measures_everything_by_events() -> None:
    tasks: Tasks = []
    stage = Stage(planned("a", "b", "c"), right, session=uncapturable(tasks, "b", LARGE))
    made = stage.conduct()
    assert {r.status for r in made} == {"ok"}
    assert len({r.key for r in made}) == len(made) == 2 * 3 * 3
    of_large = [task for task in tasks if task.problem == LARGE]
    assert [(task.session, task.sampler, task.uncapturable) for task in of_large] == [
        (1, "", {}),
        (1, "events", {"b": REASON}),
        (2, "events", {"b": REASON}),
    ]
    assert {task.sampler for task in tasks if task.problem == SMALL} == {""}
    first = stage.log.index(("measure", LARGE, ("a", "b", "c")))
    assert ("end", None, ()) in stage.log[:first]  # the process whose capture failed has ended


def test_records_before_a_failed_capture_are_kept() -> None:
    tasks: Tasks = []
    stage = Stage(planned("fails", "b"), right, session=uncapturable(tasks, "b", LARGE))
    made = {r.key: r for r in stage.conduct()}
    assert made[1, LARGE, "fails"].reason == "too bad"
    assert made[1, LARGE, "b"].status == "ok"
    assert [task.implementations for task in tasks if task.problem == LARGE][:2] == [
        ("fails", "b"),
        ("b",),
    ]


def test_a_failed_capture_is_no_sign_of_an_implementation_that_ends_processes() -> None:
    """After a crash the one at work is tried alone, where its capture fails first."""
    crashed: list[str] = []

    def answer(task: OnProblem, name: str) -> Record | Ending:
        if isinstance(task, Measure) and name == "b" and not crashed:
            crashed.append(name)
            return Ending("crashed", "process_died", "killed by SIGSEGV")
        return right(task, name)

    alone: Tasks = []

    class FailsAlone(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            if isinstance(task, Measure) and task.implementations == ("b",) and not task.sampler:
                alone.append(task)
                receive(Uncapturable(implementation="b", reason=REASON))
                return Ending("crashed", "process_died", "ended with status 0")
            if isinstance(task, Survey):
                return None
            return super().ask(task, receive)

    stage = Stage(planned("a", "b", sessions=1, problems=(SMALL,)), answer, session=FailsAlone)
    made = {r.key: r for r in stage.conduct()}
    assert alone
    assert made[1, SMALL, "b"].status == "ok"


def test_a_problem_that_is_timed_by_events_stays_so() -> None:
    samplers = Samplers()
    samplers.use_events(SMALL, "b", REASON)
    samplers.learn(replace(right(_task(), "a"), clock="graph"))
    assert samplers.of(SMALL) == "events"
    assert samplers.uncapturable(SMALL) == {"b": REASON}
    assert (samplers.of(LARGE), samplers.uncapturable(LARGE)) == ("", {})


def _task() -> Measure:
    stage: Tasks = []
    Stage(planned("a", problems=(SMALL,), sessions=1), right, session=watched(stage)).conduct()
    return stage[0]
