from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from suites.engine.run import Conductor

from impls.interface import Limits, Problem
from suites.engine.watch import Ending, Watch
from suites.records import record as records
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store

SMALL, LARGE = "b1 h8 t128 d64 full fp32 cpu", "b1 h8 t256 d64 full fp32 cpu"
Answer = Callable[[dict[str, Any], str], Record | Ending]


class FakeTime:
    def __init__(self) -> None:
        self.s = 0.0

    def now_s(self) -> float:
        return self.s


class FakeSession:
    """Answers tasks without a process: `answer` gives a record, or the ending that ends it."""

    def __init__(
        self, watch: Watch, answer: Answer, log: list[tuple[str, int, str, tuple[str, ...]]]
    ) -> None:
        self._watch, self._answer, self._log = watch, answer, log

    def ask(self, task: dict[str, Any], receive: Callable[[dict[str, Any]], None]) -> Ending | None:
        if task["task"] == "wait":
            return None
        if task["task"] == "survey":
            receive({"kind": "facts", "facts": {"ceilings": [], "threads": 2}})
            return None
        names = tuple(task["implementations"])
        self._log.append((task["task"], task["session"], task["problem"], names))
        for name in names:
            self._watch.begins(task["problem"], name, 0.0, 0)
            if name == "late":
                receive({"kind": "threads", "implementation": name})
            answer = self._answer(task, name)
            if isinstance(answer, Ending):
                return answer
            receive({"kind": "record", "record": records.to_json(answer)})
            self._watch.rests(0.0)
        return None

    def end(self) -> None:
        self._log.append(("end", 0, "", ()))


class FakePool:
    """Hands out sessions that are fakes, and keeps what was started ahead or dropped."""

    def __init__(self, make: Callable[[Watch], FakeSession]) -> None:
        self._make = make
        self.ahead: list[int] = []
        self.dropped: list[int] = []

    def start(self, session: int, threads: int) -> None:
        self.ahead.append(session)

    def take(self, session: int, threads: int) -> tuple[Watch, FakeSession]:
        watch = Watch(60.0, 1 << 30)
        return watch, self._make(watch)

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


def right(task: dict[str, Any], name: str) -> Record:
    timed = task["session"] != CHECK
    return Record(
        session=task["session"],
        problem=task["problem"],
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
    """A run on a store in memory, with sessions that are fakes."""

    def __init__(self, plan: Plan, answer: Answer, time: FakeTime | None = None) -> None:
        self.log: list[tuple[str, int, str, tuple[str, ...]]] = []
        self.store = Store.open("sqlite://")
        self.run = Run(name="r", started="now", command="c", plan=plan)
        self.store.begin(self.run)
        self.listener = Silent()
        self.time = time or FakeTime()
        self.answer = answer

    def conduct(self) -> list[Record]:
        return Conductor(
            run=self.run,
            store=self.store,
            listener=self.listener,
            processes=FakePool(lambda watch: FakeSession(watch, self.answer, self.log)),
            now_s=self.time.now_s,
        ).conduct()

    def asked(self, task: str) -> list[tuple[str, tuple[str, ...]]]:
        return [(problem, names) for kind, _, problem, names in self.log if kind == task]


def test_a_run_checks_everything_and_then_times_it_in_every_session() -> None:
    stage = Stage(planned("a", "b"), right)
    made = stage.conduct()
    assert len(made) == 2 * 2 * (1 + 2)
    assert {r.status for r in made} == {"ok"}
    assert stage.asked("check") == [(SMALL, ("a", "b")), (LARGE, ("a", "b"))]
    assert len(stage.asked("measure")) == 4
    assert [text for text, _ in stage.listener.phases] == [
        "checking agreement",
        "measuring, session 1 of 2",
        "measuring, session 2 of 2",
    ]
    assert stage.store.records("r") == made
    assert stage.store.run("r").ended is not None


def test_a_wrong_answer_is_never_timed() -> None:
    def answer(task: dict[str, Any], name: str) -> Record:
        if name == "b" and task["problem"] == SMALL and task["task"] == "check":
            return Record(
                session=0, problem=SMALL, implementation="b", status="wrong", reason="off"
            )
        return right(task, name)

    stage = Stage(planned("a", "b"), answer)
    stage.conduct()
    assert (SMALL, ("a",)) in stage.asked("measure")
    assert all(names == ("a",) for problem, names in stage.asked("measure") if problem == SMALL)


def test_a_death_costs_the_guilty_record_only_and_the_others_are_asked_anew() -> None:
    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        if name == "b" and task["task"] == "measure" and task["problem"] == LARGE:
            return Ending("crashed", "killed by SIGSEGV")
        return right(task, name)

    stage = Stage(planned("a", "b", "c", sessions=1), answer)
    made = {r.key: r for r in stage.conduct()}
    assert made[1, LARGE, "b"].status == "crashed"
    assert made[1, LARGE, "b"].reason == "killed by SIGSEGV"
    assert made[1, LARGE, "a"].status == made[1, LARGE, "c"].status == "ok"
    assert (LARGE, ("c",)) in stage.asked("measure")


def test_an_implementation_that_fell_in_one_session_is_left_out_of_the_next() -> None:
    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        if name == "b" and task["session"] == 1:
            return Ending("timed_out", "too slow")
        return right(task, name)

    stage = Stage(planned("a", "b"), answer)
    made = stage.conduct()
    assert not [r for r in made if r.session == 2 and r.implementation == "b"]


def test_a_session_that_dies_twice_with_nobody_at_work_is_not_started_for_ever() -> None:
    class Dead(FakeSession):
        def ask(self, task: dict[str, Any], receive: Any) -> Ending | None:
            return Ending("crashed", "no reason")

    stage = Stage(planned("a", sessions=0), right)
    made = Conductor(
        run=stage.run,
        store=stage.store,
        listener=stage.listener,
        processes=FakePool(lambda watch: Dead(watch, right, [])),
    ).conduct()
    assert [r.status for r in made] == ["crashed", "crashed"]
    assert made[0].reason == "its session ended twice before anything was at work: no reason"


def test_what_is_refused_or_missing_is_recorded_in_words_and_never_asked() -> None:
    entries = (
        Entry(name="a", limits=(Limits(),)),
        Entry(name="gpu", limits=(Limits(devices=("cuda",)),)),
        Entry(name="gone", missing="not installed"),
    )
    stage = Stage(planned(entries=entries, sessions=1), right)
    made = stage.conduct()
    reasons = {r.implementation: (r.status, r.reason) for r in made if r.implementation != "a"}
    assert reasons == {
        "gpu": ("refused", "device cpu: runs on cuda"),
        "gone": ("missing", "not installed"),
    }
    assert all(names == ("a",) for _, names in stage.asked("measure") + stage.asked("check"))


def test_resuming_does_what_is_left_and_nothing_twice() -> None:
    stage = Stage(planned("a", "b"), right)
    stopped = 0

    def interrupt(task: dict[str, Any], name: str) -> Record:
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
    assert stage.log[-1][0] == "end"  # nothing is left running
    stage.answer = right
    made = stage.conduct()
    assert len(made) == len({r.key for r in made}) == 12


def test_a_finished_run_has_nothing_to_resume() -> None:
    stage = Stage(planned("a"), right)
    first = stage.conduct()
    stage.log.clear()
    assert stage.conduct() == first
    assert stage.asked("check") == stage.asked("measure") == []


def test_what_a_budget_does_not_hold_is_recorded_as_foreseen() -> None:
    stage = Stage(planned("a", "b", budget_s=0.001), right)
    made = stage.conduct()
    assert {(r.session, r.status) for r in made} == {(0, "timed_out")}
    assert made[0].reason == "foreseen: the budget of 1.66667e-05 min does not hold it (--budget)"


def test_what_a_budget_ends_before_is_listed() -> None:
    time = FakeTime()

    def slow(task: dict[str, Any], name: str) -> Record:
        time.s += 1.0
        return right(task, name)

    stage = Stage(planned("a", sessions=1, budget_s=5.0), slow, time)

    def slower(task: dict[str, Any], name: str) -> Record:
        time.s += 100.0 if task["problem"] == LARGE else 0.0
        return right(task, name)

    stage.answer = slower
    made = stage.conduct()
    late = [r for r in made if r.session == 1]
    assert {r.status for r in late} == {"timed_out"}
    assert "ended before it was timed (--budget)" in late[0].reason


def test_what_a_budget_holds_is_the_same_in_every_session_once_the_pace_is_known() -> None:
    """Calls take three times as long as foretold: half of all fit, and no other half each time."""
    time = FakeTime()
    lengths = range(128, 128 + 12 * 8, 8)

    def slow(task: dict[str, Any], name: str) -> Record:
        made = right(task, name)
        if task["task"] == "check":
            return replace(made, spent_ms=10.0 * Problem.parse(task["problem"]).key_length)
        time.s += 6.6
        return made

    problems = tuple(f"b1 h1 t{length} d8 full fp32 cpu" for length in lengths)
    made = Stage(planned("a", problems=problems, sessions=5, budget_s=200.0), slow, time).conduct()
    checked = sum(r.session == CHECK and r.status == "ok" for r in made)
    timed = [{r.problem for r in made if r.session == each} for each in (3, 4, 5)]
    assert timed[0] == timed[1] == timed[2]
    assert 4 <= len(timed[0]) < checked


def test_who_listens_hears_of_a_problem_before_it_is_asked() -> None:
    stage = Stage(planned("one", "two", sessions=1), right)

    def hear(problem: str) -> None:
        stage.log.append(("begins", 0, problem, ()))

    Conductor(
        run=stage.run,
        store=stage.store,
        listener=stage.listener,
        processes=FakePool(lambda watch: FakeSession(watch, right, stage.log)),
        begins=hear,
    ).conduct()
    told = [(kind, problem) for kind, _, problem, _ in stage.log if kind != "end"]
    assert [kind for kind, _ in told] == ["begins", "check"] * 2 + ["begins", "measure"] * 2
    assert [problem for _, problem in told[::2]] == [problem for _, problem in told[1::2]]


@pytest.mark.parametrize(
    ("session_s", "timed"),
    [
        pytest.param(0.5, 5, id="all of them fit"),
        pytest.param(2.0, 4, id="a fifth would end after 10.5 s"),
        pytest.param(4.0, 2, id="a third would"),
        pytest.param(60.0, 2, id="an interval takes two"),
    ],
)
def test_sessions_beyond_the_fewest_begin_while_they_are_foreseen_to_end_in_time(
    session_s: float, timed: int
) -> None:
    time = FakeTime()

    def answer(task: dict[str, Any], name: str) -> Record:
        time.s += 1.0 if task["task"] == "check" else session_s
        return right(task, name)

    plan = planned("a", problems=(SMALL,), sessions=5, fewest_sessions=2, enough_s=10.5)
    made = Stage(plan, answer, time).conduct()
    assert sorted(r.session for r in made) == list(range(timed + 1))


DIED = Ending("crashed", "the process ended with status 3 before it answered")


def by_implementation(made: list[Record], session: int) -> dict[str, str]:
    return {r.implementation: r.status for r in made if r.session == session}


def test_who_ends_a_process_in_the_turn_of_another_is_found_out() -> None:
    """A thread that one of them left does it, as soon as it is alone."""

    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        names = task["implementations"]
        ends = task["task"] == "measure" and "late" in names and (name == "b" or len(names) == 1)
        return DIED if ends else right(task, name)

    made = Stage(planned("a", "b", "late", problems=(SMALL,)), answer).conduct()
    assert by_implementation(made, CHECK) == {"a": "ok", "b": "ok", "late": "ok"}
    assert by_implementation(made, 1) == {"a": "ok", "b": "ok", "late": "crashed"}
    assert by_implementation(made, 2) == {"a": "ok", "b": "ok"}


def test_a_check_that_another_s_thread_ended_is_asked_again() -> None:
    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        together = {"late", "b"} <= set(task["implementations"])
        return DIED if task["task"] == "check" and name == "b" and together else right(task, name)

    made = Stage(planned("late", "b", "c", problems=(SMALL,), sessions=0), answer).conduct()
    assert by_implementation(made, CHECK) == {"late": "ok", "b": "ok", "c": "ok"}


def test_who_has_the_turn_again_is_to_blame_where_nobody_ends_a_process_alone() -> None:
    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        together = len(task["implementations"]) > 1
        ends = task["task"] == "measure" and name == "b" and together
        return DIED if ends else right(task, name)

    made = Stage(planned("a", "b", "c", problems=(SMALL,), sessions=1), answer).conduct()
    assert by_implementation(made, 1) == {"a": "ok", "b": "crashed", "c": "ok"}


def test_who_ends_a_process_between_turns_is_found_out_and_the_others_are_measured() -> None:
    class Between(FakeSession):
        def ask(self, task: dict[str, Any], receive: Any) -> Ending | None:
            late = "late" in task.get("implementations", ()) and task["task"] == "measure"
            return DIED if late else super().ask(task, receive)

    stage = Stage(planned("a", "b", "late", problems=(SMALL,), sessions=1), right)
    made = Conductor(
        run=stage.run,
        store=stage.store,
        listener=stage.listener,
        processes=FakePool(lambda watch: Between(watch, right, stage.log)),
    ).conduct()
    assert by_implementation(made, 1) == {"a": "ok", "b": "ok", "late": "crashed"}


def test_who_is_left_out_of_an_answer_has_a_record_all_the_same() -> None:
    class Forgetful(FakeSession):
        def ask(self, task: dict[str, Any], receive: Any) -> Ending | None:
            names = [name for name in task.get("implementations", ()) if name != "b"]
            return super().ask({**task, "implementations": names}, receive)

    stage = Stage(planned("a", "b", problems=(SMALL,), sessions=0), right)
    made = Conductor(
        run=stage.run,
        store=stage.store,
        listener=stage.listener,
        processes=FakePool(lambda watch: Forgetful(watch, right, stage.log)),
    ).conduct()
    assert {r.implementation: r.reason for r in made} == {
        "a": "",
        "b": "its session gave no record of it",
    }


def test_who_was_found_out_once_is_believed_to_do_it_again() -> None:
    def answer(task: dict[str, Any], name: str) -> Record | Ending:
        return DIED if name == "b" else right(task, name)

    stage = Stage(planned("a", "b", "c", sessions=0), answer)
    made = stage.conduct()
    assert by_implementation(made, CHECK) == {"a": "ok", "b": "crashed", "c": "ok"}
    assert [names for _, names in stage.asked("check")].count(("b",)) == 1
