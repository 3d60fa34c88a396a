"""The forecast of the time left: from the first task on, with sessions, budget and precision."""

from __future__ import annotations

from typing import Any

import pytest

from impls.interface import Problem
from suites.engine.protocol import Check
from suites.engine.time_left import TimeLeft, time_left
from suites.records.plan import Plan
from suites.records.record import Record
from tests.engine.test_conductor import FakeTime, OnProblem, Stage, planned, right

LENGTHS = range(128, 128 + 10 * 8, 8)


def left(session: int, plan: Plan, elapsed_s: float = 10.0) -> TimeLeft:
    return time_left(plan, session, elapsed_s=elapsed_s, phase_s=3.0, session_s=20.0)


def test_the_rest_of_the_session_and_the_later_ones_are_left() -> None:
    plan = planned("a", sessions=5)
    assert left(0, plan) == TimeLeft(3.0 + 5 * 20.0)
    assert left(4, plan) == TimeLeft(3.0 + 20.0)
    assert left(5, plan) == TimeLeft(3.0)


def test_every_number_of_threads_has_its_sessions() -> None:
    assert left(1, planned("a", sessions=2, threads=(1, 2))) == TimeLeft(3.0 + 3 * 20.0)


@pytest.mark.parametrize(
    ("enough_s", "later"), [(1.0, 1), (54.0, 2), (72.0, 2), (73.0, 3), (1e9, 4)]
)
def test_sessions_beyond_the_fewest_count_while_they_fit(enough_s: float, later: int) -> None:
    plan = planned("a", sessions=5, fewest_sessions=2, enough_s=enough_s)
    assert left(1, plan) == TimeLeft(3.0 + later * 20.0)


def test_a_budget_is_the_most() -> None:
    plan = planned("a", sessions=5, budget_s=60.0)
    assert left(0, plan) == TimeLeft(50.0, is_most=True)
    assert left(0, plan, elapsed_s=61.0) == TimeLeft(0.0, is_most=True)
    assert left(4, plan) == TimeLeft(23.0)  # it ends before its budget


def test_a_precision_may_end_a_run_earlier() -> None:
    assert left(1, planned("a", sessions=5, precision=0.01)) == TimeLeft(83.0, is_most=True)


class Clocked:
    """A run on a fake clock: a check takes `check_s`, a timed task `task_s`."""

    def __init__(self, check_s: float, task_s: float, **plan: Any) -> None:
        self.clock = FakeTime()
        self.took = check_s, task_s
        self.seen: list[tuple[float, TimeLeft]] = []
        problems = tuple(Problem.parse(f"h1 t{length} d8") for length in LENGTHS)
        self.stage = Stage(planned("a", problems=problems, **plan), self._answer, self.clock)

    def _answer(self, task: OnProblem, name: str) -> Record:
        self.clock.s += self.took[0] if isinstance(task, Check) else self.took[1]
        return right(task, name)

    def conduct(self) -> None:
        self.stage.conduct(lambda _, left: self.seen.append((self.clock.s, left)))


def test_the_forecast_is_there_before_the_first_task_and_approaches_the_end() -> None:
    run = Clocked(check_s=0.5, task_s=0.3, sessions=3)
    run.conduct()
    end_s = run.clock.s
    assert len(run.seen) == len(LENGTHS) * (1 + 3)
    began_s, first = run.seen[0]
    assert began_s == 0.0
    assert 0.3 * end_s < first.seconds < 3 * end_s
    half = run.seen[len(run.seen) // 2 :]
    assert all(left.seconds == pytest.approx(end_s - at, rel=0.4) for at, left in half)


def test_no_forecast_is_below_zero_or_beyond_the_budget() -> None:
    run = Clocked(check_s=0.5, task_s=0.7, sessions=3, budget_s=15.0)
    run.conduct()
    assert run.seen
    assert all(0 <= left.seconds <= 15.0 - at for at, left in run.seen if at < 15.0)


def test_no_pair_is_forecast_to_take_longer_than_the_time_limit() -> None:
    long = (Problem.parse("h64 t65536 d128"),)
    plan = planned("a", problems=long, sessions=0, time_limit_s=7.0, memory_limit=1 << 50)
    stage = Stage(plan, right)
    seen: list[TimeLeft] = []
    stage.conduct(lambda _, left: seen.append(left))
    assert [each.seconds for each in seen] == [pytest.approx(7.0, rel=0.2)]
