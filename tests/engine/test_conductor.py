"""The conductor and its dispatcher, with sessions that start no process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Limits, Problem
from suites.engine.conductor import Conductor
from suites.engine.messages import LeftThreads, Made, Surveyed
from suites.engine.pools import DONE, Progress, Receive
from suites.engine.protocol import Check, Measure, Survey, Task
from suites.engine.time_left import TimeLeft
from suites.engine.watch import Ending, Watch
from suites.records.cases import Case, Step
from suites.records.facts import SessionFacts
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record, Status
from suites.records.store import Run, Store

SMALL, LARGE = Problem.parse("t128"), Problem.parse("t256")
OnProblem = Check | Measure
Answer = Callable[[OnProblem, str], Record | Ending]
Begins = Callable[[Problem, TimeLeft], None]
Log = list[tuple[str, Problem | None, tuple[str, ...]]]
"""What happened: a task, with its problem and implementations; "begins"; or "end"."""


class FakeTime:
    def __init__(self) -> None:
        self.s = 0.0

    def now_s(self) -> float:
        return self.s


class FakeSession:
    """Does tasks without a process: `answer` gives a record, or the ending of the session."""

    def __init__(self, watch: Watch, answer: Answer, log: Log) -> None:
        self._watch, self._answer, self._log = watch, answer, log

    def ask(self, task: Task, receive: Receive) -> Ending | None:
        if isinstance(task, Survey):
            receive(Surveyed(facts=SessionFacts(session=task.session, threads=2)))
        if not isinstance(task, OnProblem):
            return None
        self._log.append((task.task, task.problem, task.implementations))
        for name in task.implementations:
            self._watch.begins((task.problem, name), 0.0, 0)
            if name == "late":
                receive(LeftThreads(implementation=name))
            answer = self._answer(task, name)
            if isinstance(answer, Ending):
                return answer
            receive(Made(record=answer))
            self._watch.rests(0.0)
        return None

    def give(self, task: Task) -> None:
        self._given = task

    def listen(self, receive: Receive, within_s: float = 0.1) -> Progress:
        return self.ask(self._given, receive) or DONE

    def end(self) -> None:
        self._log.append(("end", None, ()))


class FakePool:
    """Hands out fake sessions, and lists the ones started ahead or dropped."""

    def __init__(self, make: Callable[[Watch], FakeSession]) -> None:
        self._make = make
        self.ahead: list[int] = []
        self.dropped: list[int] = []

    def start(self, session: int, threads: int, process: str = "") -> None:
        self.ahead.append(session)

    def take(self, session: int, threads: int, process: str = "") -> tuple[Watch, FakeSession]:
        watch = Watch(60.0, 1 << 30)
        return watch, self._make(watch)

    def meeting(self) -> str:
        return ""

    def settle(self) -> None:
        pass

    def drop(self, session: int) -> None:
        self.dropped.append(session)


class Silent:
    def __init__(self) -> None:
        self.phases: list[tuple[str, int]] = []

    def phase(self, text: str, total: int) -> None:
        self.phases.append((text, total))

    def record(self, record: Record) -> None:
        pass


def right(task: OnProblem, name: str) -> Record:
    timed = task.session != CHECK
    return Record(
        session=task.session,
        problem=task.problem,
        implementation=name,
        status="ok",
        times_ms=(1.0, 2.0) if timed else (),
        spent_ms=None if timed else 5.0,
        peak_bytes=None if timed else 100,
    )


def planned(*names: str, sessions: int = 2, **changes: Any) -> Plan:
    entries = tuple(Entry(name=name, limits=(Limits(),)) for name in names)
    settings: dict[str, Any] = {
        "suite": "x",
        "problems": (SMALL, LARGE),
        "entries": entries,
        "sessions": sessions,
        "seed": 4,
        "round_budget_ms": 100.0,
        "time_limit_s": 60.0,
        "memory_limit": 1 << 30,
        "threads": (2,),
    }
    return Plan(**settings | changes)


class Stage:
    """A run on a store in memory, with fake sessions."""

    def __init__(
        self,
        plan: Plan,
        answer: Answer,
        time: FakeTime | None = None,
        session: type[FakeSession] = FakeSession,
    ) -> None:
        self.log: Log = []
        self.session = session
        self.store = Store.open("sqlite://")
        self.run = Run(name="r", started="now", command="c", plan=plan)
        self.store.begin(self.run)
        self.listener = Silent()
        self.time = time or FakeTime()
        self.answer = answer

    def conduct(self, begins: Begins = lambda *_: None) -> list[Record]:
        def begin(problem: Problem, left: TimeLeft) -> None:
            self.log.append(("begins", problem, ()))
            begins(problem, left)

        return Conductor(
            run=self.run,
            store=self.store,
            listener=self.listener,
            pool=FakePool(lambda watch: self.session(watch, self.answer, self.log)),
            begins=begin,
            now_s=self.time.now_s,
        ).conduct()

    def asked(self, task: str) -> list[tuple[Problem | None, tuple[str, ...]]]:
        """The problem and implementations of every task of a kind, in order."""
        return [(problem, names) for kind, problem, names in self.log if kind == task]


def test_a_run_checks_every_pair_and_then_times_it_in_every_session() -> None:
    stage = Stage(planned("a", "b"), right)
    made = stage.conduct()
    assert len(made) == 2 * 2 * (1 + 2)
    assert {r.status for r in made} == {"ok"}
    assert stage.asked("check") == [(SMALL, ("a", "b")), (LARGE, ("a", "b"))]
    assert len(stage.asked("measure")) == 4
    assert [text for text, _ in stage.listener.phases] == [
        "checking 2 implementations",
        "session 1 of 2",
        "session 2 of 2",
    ]
    assert stage.store.records("r") == made
    assert stage.store.run("r").ended is not None
    assert [each.session for each in stage.store.run("r").facts] == [1, 2]


def test_a_wrong_answer_is_never_timed() -> None:
    def answer(task: OnProblem, name: str) -> Record:
        if name == "b" and task.problem == SMALL and isinstance(task, Check):
            return Record(
                session=CHECK,
                problem=SMALL,
                implementation="b",
                status="wrong",
                cause="wrong_output",
                reason="off",
            )
        return right(task, name)

    stage = Stage(planned("a", "b"), answer)
    stage.conduct()
    assert (SMALL, ("a",)) in stage.asked("measure")
    assert all(names == ("a",) for problem, names in stage.asked("measure") if problem == SMALL)


def test_after_a_crash_only_the_implementation_at_work_has_a_fault() -> None:
    def answer(task: OnProblem, name: str) -> Record | Ending:
        if name == "b" and isinstance(task, Measure) and task.problem == LARGE:
            return Ending("crashed", "process_died", "killed by SIGSEGV")
        return right(task, name)

    stage = Stage(planned("a", "b", "c", sessions=1), answer)
    made = {r.key: r for r in stage.conduct()}
    crashed = made[1, LARGE, "b"]
    assert (crashed.status, crashed.cause) == ("crashed", "process_died")
    assert crashed.reason == "killed by SIGSEGV"
    assert made[1, LARGE, "a"].status == made[1, LARGE, "c"].status == "ok"
    assert (LARGE, ("c",)) in stage.asked("measure")


def test_an_implementation_that_timed_out_in_one_session_is_left_out_of_the_next() -> None:
    def answer(task: OnProblem, name: str) -> Record | Ending:
        if name == "b" and task.session == 1:
            return Ending("timed_out", "time_limit", "too slow")
        return right(task, name)

    stage = Stage(planned("a", "b"), answer)
    made = stage.conduct()
    assert not [r for r in made if r.session == 2 and r.implementation == "b"]


def test_a_session_that_ends_twice_with_no_implementation_at_work_is_given_up() -> None:
    class Dead(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            return Ending("crashed", "process_died", "no reason")

    made = Stage(planned("a", sessions=0), right, session=Dead).conduct()
    assert [(r.status, r.cause) for r in made] == [("crashed", "process_died")] * 2
    assert "ended twice before any implementation was at work: no reason" in made[0].reason


def test_refused_and_missing_pairs_are_recorded_and_never_given_to_a_session() -> None:
    entries = (
        Entry(name="a", limits=(Limits(),)),
        Entry(name="gpu", limits=(Limits(devices=("cuda",)),)),
        Entry(name="gone", missing="not installed"),
    )
    stage = Stage(planned(entries=entries, sessions=1), right)
    made = stage.conduct()
    others = [r for r in made if r.implementation != "a"]
    assert {r.implementation: (r.status, r.cause, r.reason) for r in others} == {
        "gpu": ("refused", "limits", "device cpu: runs on cuda"),
        "gone": ("missing", "not_importable", "not installed"),
    }
    assert all(names == ("a",) for _, names in stage.asked("measure") + stage.asked("check"))


def test_resuming_makes_the_missing_records_and_none_twice() -> None:
    stage = Stage(planned("a", "b"), right)
    stopped = 0

    def interrupt(task: OnProblem, name: str) -> Record:
        nonlocal stopped
        stopped += 1
        if stopped == 7:
            raise KeyboardInterrupt
        return right(task, name)

    stage.answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        stage.conduct()
    assert len(stage.store.records("r")) == 6
    assert stage.store.run("r").ended is None
    assert stage.log[-1][0] == "end"  # no process is left
    stage.answer = right
    made = stage.conduct()
    assert len(made) == len({r.key for r in made}) == 12


def test_a_finished_run_has_nothing_to_resume() -> None:
    stage = Stage(planned("a"), right)
    first = stage.conduct()
    stage.log.clear()
    assert stage.conduct() == first
    assert stage.asked("check") == stage.asked("measure") == []


def test_pairs_beyond_the_budget_are_recorded_and_not_checked() -> None:
    stage = Stage(planned("a", "b", budget_s=0.001), right)
    made = stage.conduct()
    assert {(r.session, r.status, r.cause) for r in made} == {(CHECK, "timed_out", "budget")}
    assert made[0].reason.startswith("the budget of 1.66667e-05 min does not suffice")


def test_a_small_budget_first_goes_to_what_a_recorded_step_uses_now() -> None:
    cases = tuple(Case(problem=each, step="step") for each in (SMALL, LARGE))
    seen = set()
    for budget_s in (0.25 * each for each in range(1, 40)):
        plan = planned("rival", "now", budget_s=budget_s, cases=cases, steps=(Step(name="step"),))
        made = Stage(replace(plan, baselines={"cpu": ("now",)}), right).conduct()
        able = [r.implementation for r in made if r.session == CHECK and r.status == "ok"]
        seen.add(tuple(sorted(able)))
    assert ("now", "now") in seen
    assert all(each.count("now") == 2 for each in seen if "rival" in each)


def test_pairs_that_the_budget_left_untimed_are_recorded() -> None:
    time = FakeTime()

    def slow(task: OnProblem, name: str) -> Record:
        time.s += 1.0
        return right(task, name)

    stage = Stage(planned("a", sessions=1, budget_s=5.0), slow, time)

    def slower(task: OnProblem, name: str) -> Record:
        time.s += 100.0 if task.problem == LARGE else 0.0
        return right(task, name)

    stage.answer = slower
    made = stage.conduct()
    late = [r for r in made if r.session == 1]
    assert {(r.status, r.cause) for r in late} == {("timed_out", "budget")}
    assert "ended before it was timed (--budget)" in late[0].reason


def test_a_budget_times_the_same_pairs_in_every_session_once_the_pace_is_known() -> None:
    """Calls take three times their forecast: half of all pairs fit, in every session the same."""
    time = FakeTime()
    lengths = range(128, 128 + 12 * 8, 8)

    def slow(task: OnProblem, name: str) -> Record:
        made = right(task, name)
        if isinstance(task, Check):
            return replace(made, spent_ms=10.0 * task.problem.key_length)
        time.s += 6.6
        return made

    problems = tuple(Problem.parse(f"h1 t{length} d8") for length in lengths)
    made = Stage(planned("a", problems=problems, sessions=5, budget_s=200.0), slow, time).conduct()
    checked = sum(r.session == CHECK and r.status == "ok" for r in made)
    timed = [{r.problem for r in made if r.session == each} for each in (3, 4, 5)]
    assert timed[0] == timed[1] == timed[2]
    assert 4 <= len(timed[0]) < checked


def test_every_problem_is_announced_before_its_task() -> None:
    stage = Stage(planned("one", "two", sessions=1), right)
    stage.conduct()
    events = [(kind, problem) for kind, problem, _ in stage.log if kind != "end"]
    assert [kind for kind, _ in events] == ["begins", "check"] * 2 + ["begins", "measure"] * 2
    assert [problem for _, problem in events[::2]] == [problem for _, problem in events[1::2]]


@pytest.mark.parametrize(
    ("session_s", "timed"),
    [
        pytest.param(0.5, 5, id="all of them fit"),
        pytest.param(2.0, 4, id="a fifth would end after 10.5 s"),
        pytest.param(4.0, 2, id="a third would"),
        pytest.param(60.0, 2, id="an interval takes two"),
    ],
)
def test_sessions_beyond_the_fewest_begin_while_their_forecast_ends_in_time(
    session_s: float, timed: int
) -> None:
    time = FakeTime()

    def answer(task: OnProblem, name: str) -> Record:
        time.s += 1.0 if isinstance(task, Check) else session_s
        return right(task, name)

    plan = planned("a", problems=(SMALL,), sessions=5, fewest_sessions=2, enough_s=10.5)
    made = Stage(plan, answer, time).conduct()
    assert sorted(r.session for r in made) == list(range(timed + 1))


DIED = Ending("crashed", "process_died", "the process ended with status 3")


def by_implementation(made: list[Record], session: int) -> dict[str, Status]:
    return {r.implementation: r.status for r in made if r.session == session}


def test_an_implementation_whose_thread_ends_the_process_in_another_turn_has_the_fault() -> None:
    """It ends a process of its own as well."""

    def answer(task: OnProblem, name: str) -> Record | Ending:
        names = task.implementations
        ends = isinstance(task, Measure) and "late" in names and (name == "b" or len(names) == 1)
        return DIED if ends else right(task, name)

    made = Stage(planned("a", "b", "late", problems=(SMALL,)), answer).conduct()
    assert by_implementation(made, CHECK) == {"a": "ok", "b": "ok", "late": "ok"}
    assert by_implementation(made, 1) == {"a": "ok", "b": "ok", "late": "crashed"}
    assert by_implementation(made, 2) == {"a": "ok", "b": "ok"}


def test_a_check_that_a_thread_of_another_implementation_ended_is_repeated() -> None:
    def answer(task: OnProblem, name: str) -> Record | Ending:
        together = {"late", "b"} <= set(task.implementations)
        return DIED if isinstance(task, Check) and name == "b" and together else right(task, name)

    made = Stage(planned("late", "b", "c", problems=(SMALL,), sessions=0), answer).conduct()
    assert by_implementation(made, CHECK) == {"late": "ok", "b": "ok", "c": "ok"}


def test_the_implementation_at_work_in_two_crashes_has_the_fault_where_none_crashes_alone() -> None:
    def answer(task: OnProblem, name: str) -> Record | Ending:
        together = len(task.implementations) > 1
        ends = isinstance(task, Measure) and name == "b" and together
        return DIED if ends else right(task, name)

    made = Stage(planned("a", "b", "c", problems=(SMALL,), sessions=1), answer).conduct()
    assert by_implementation(made, 1) == {"a": "ok", "b": "crashed", "c": "ok"}


def test_a_crash_between_turns_is_attributed_and_the_others_are_measured() -> None:
    class Between(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            late = isinstance(task, Measure) and "late" in task.implementations
            return DIED if late else super().ask(task, receive)

    plan = planned("a", "b", "late", problems=(SMALL,), sessions=1)
    made = Stage(plan, right, session=Between).conduct()
    assert by_implementation(made, 1) == {"a": "ok", "b": "ok", "late": "crashed"}


def test_an_implementation_without_a_record_from_its_session_has_crashed() -> None:
    class Forgetful(FakeSession):
        def ask(self, task: Task, receive: Receive) -> Ending | None:
            if not isinstance(task, Check):
                return super().ask(task, receive)
            names = tuple(name for name in task.implementations if name != "b")
            return super().ask(replace(task, implementations=names), receive)

    plan = planned("a", "b", problems=(SMALL,), sessions=0)
    made = Stage(plan, right, session=Forgetful).conduct()
    assert {r.implementation: (r.status, r.cause) for r in made} == {
        "a": ("ok", ""),
        "b": ("crashed", "no_record"),
    }


def test_an_implementation_that_crashed_alone_once_is_not_tried_alone_again() -> None:
    def answer(task: OnProblem, name: str) -> Record | Ending:
        return DIED if name == "b" else right(task, name)

    stage = Stage(planned("a", "b", "c", sessions=0), answer)
    made = stage.conduct()
    assert by_implementation(made, CHECK) == {"a": "ok", "b": "crashed", "c": "ok"}
    assert [names for _, names in stage.asked("check")].count(("b",)) == 1
