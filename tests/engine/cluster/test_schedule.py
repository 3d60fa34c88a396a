"""Scheduling without a cluster: a stand-in whose nodes answer at once, or are lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from impls.interface import Problem
from suites.engine.cluster.jobs import DoSession, Job, Kept, Refused
from suites.engine.cluster.nodes import Node
from suites.engine.cluster.pool import Done, Event, Lost
from suites.engine.cluster.schedule import OnKind, Schedule
from suites.records.plan import Entry, Plan
from suites.records.record import Record
from suites.records.store import Run, Store

PROBLEM = Problem.parse("b1 h1 t64 d16 causal cpu")
Answer = Callable[[Node, DoSession], list[Event]]


def run(**settings: Any) -> Run:
    entries = (Entry(name="a"), Entry(name="b"))
    values: dict[str, Any] = {"sessions": 3, "threads": (1,), "memory_limit": 1, **settings}
    plan = Plan(
        suite="s", problems=(PROBLEM,), entries=entries, seed=0, round_budget_ms=1.0, **values
    )
    return Run(name="s@big", started="", command="", plan=plan)


def node(key: str) -> Node:
    return Node(key=key, host=f"host-{key}", kind="big", cpus=1)


def kept(session: int, name: str) -> Kept:
    made = Record(
        session=session,
        problem=PROBLEM,
        implementation=name,
        status="ok",
        host="h",
        times_ms=(1.0,) if session else (),
    )
    return Kept(records=(made,))


def missing(work: DoSession) -> list[str]:
    known = {(r.session, r.implementation) for r in work.records}
    return [name for name in ("a", "b") if (work.session, name) not in known]


def works(node: Node, work: DoSession) -> list[Event]:
    return [*(kept(work.session, name) for name in missing(work)), Done()]


class Cluster:
    """A stand-in: one event of every job at a time."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.given: list[tuple[str, int]] = []
        self._jobs: dict[int, deque[Event]] = {}
        self.at_once = 0

    def begin(self, node: Node, job: Job) -> Any:
        assert isinstance(job.work, DoSession)
        self.given.append((node.key, job.work.session))
        number = len(self.given)
        self._jobs[number] = deque(self.answer(node, job.work))
        self.at_once = max(self.at_once, len(self._jobs))
        return number

    def events(self, within_s: float) -> list[tuple[Any, Event]]:
        found = [(job, events.popleft()) for job, events in self._jobs.items()]
        self._jobs = {job: events for job, events in self._jobs.items() if events}
        return found

    def stop(self) -> None:
        self._jobs.clear()


class Silent:
    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.open("sqlite://")
    yield made
    made.close()


def conducted(
    answer: Answer, store: Store, keys: str = "xy", **settings: Any
) -> tuple[OnKind, Cluster, list[OnKind]]:
    cluster, begun = Cluster(answer), run(**settings)
    store.begin(begun)
    kind = OnKind(begun, [node(key) for key in keys], [])
    stuck = Schedule(cluster, store, [kind], Silent()).conduct()
    return kind, cluster, stuck


def keys(records: list[Record]) -> list[tuple[int, str]]:
    return sorted((r.session, r.implementation) for r in records)


EVERY = [(session, name) for session in range(4) for name in "ab"]


def test_the_check_is_first_on_one_node_and_sessions_follow_on_all(store: Store) -> None:
    _, cluster, stuck = conducted(works, store)
    assert stuck == []
    assert cluster.given[0] == ("x", 0)
    assert sorted(session for _, session in cluster.given) == [0, 1, 2, 3]
    assert cluster.at_once == 2
    assert {key for key, _ in cluster.given} == {"x", "y"}
    assert keys(store.records("s@big")) == EVERY
    assert store.run("s@big").ended is not None


def test_a_node_is_verified_once(store: Store) -> None:
    verified = []

    def answer(node: Node, work: DoSession) -> list[Event]:
        if work.verifies:
            verified.append(node.key)
        return works(node, work)

    conducted(answer, store, sessions=6)
    assert sorted(verified) == ["x", "y"]


def test_the_session_of_a_node_that_is_gone_goes_to_another_without_its_records(
    store: Store,
) -> None:
    asked: list[list[str]] = []

    def answer(node: Node, work: DoSession) -> list[Event]:
        if work.session == 2:
            asked.append(missing(work))
        if work.session == 2 and len(asked) == 1:
            return [kept(2, "a"), Lost(reason="node died", gone=True)]
        return works(node, work)

    kind, cluster, stuck = conducted(answer, store)
    assert stuck == []
    assert asked == [["a", "b"], ["b"]]
    assert len(kind.nodes) == 1
    lost, again = (key for key, session in cluster.given if session == 2)
    assert lost != again
    assert keys(store.records("s@big")) == EVERY


def test_the_check_of_a_node_that_is_gone_is_finished_by_another(store: Store) -> None:
    def answer(node: Node, work: DoSession) -> list[Event]:
        if node.key == "x":
            return [kept(0, "a"), Lost(reason="node died", gone=True)]
        return works(node, work)

    _, cluster, stuck = conducted(answer, store)
    assert stuck == []
    assert cluster.given[:2] == [("x", 0), ("y", 0)]
    assert keys(store.records("s@big")) == EVERY


def test_without_a_node_the_run_is_stuck_and_not_ended(store: Store) -> None:
    def answer(node: Node, work: DoSession) -> list[Event]:
        return works(node, work) if work.session < 2 else [Lost(reason="died", gone=True)]

    kind, _, stuck = conducted(answer, store)
    assert stuck == [kind]
    assert kind.ended == ["host-x: died", "host-y: died"] or len(kind.ended) == 2
    assert store.run("s@big").ended is None
    assert keys(store.records("s@big")) == EVERY[:4]


def test_a_living_node_that_only_loses_jobs_gets_no_more(store: Store) -> None:
    def answer(node: Node, work: DoSession) -> list[Event]:
        return [Lost(reason="killed", gone=False)] if node.key == "x" else works(node, work)

    kind, cluster, stuck = conducted(answer, store)
    assert stuck == []
    assert [each.key for each in kind.nodes] == ["y"]
    assert sum(key == "x" for key, _ in cluster.given) == 3
    assert keys(store.records("s@big")) == EVERY


def test_a_node_of_another_machine_is_left_out_with_its_reason(store: Store) -> None:
    def answer(node: Node, work: DoSession) -> list[Event]:
        if node.key == "x":
            return [Refused(reason="began with cores 2, here it is 4"), Done()]
        return works(node, work)

    kind, _, stuck = conducted(answer, store)
    assert stuck == []
    assert kind.ended == ["host-x: began with cores 2, here it is 4"]
    assert keys(store.records("s@big")) == EVERY


def test_sessions_beyond_the_fewest_end_when_the_time_is_enough(store: Store) -> None:
    _, cluster, _ = conducted(works, store, "x", fewest_sessions=2, enough_s=-1.0)
    assert [session for _, session in cluster.given] == [0, 1, 2]


def test_a_budget_that_ended_leaves_a_record_of_what_was_not_timed(store: Store) -> None:
    clock = iter(range(0, 10_000, 100))
    begun = run(budget_s=50.0)
    store.begin(begun)
    kind = OnKind(begun, [node("x")], [], now_s=lambda: float(next(clock)))
    assert Schedule(Cluster(works), store, [kind], Silent()).conduct() == []
    records = store.records("s@big")
    assert [(r.session, r.status, r.cause, r.host) for r in records] == [
        (0, "ok", "", "h"),
        (0, "ok", "", "h"),
        (1, "timed_out", "budget", "h"),
        (1, "timed_out", "budget", "h"),
    ]


def test_a_resumed_run_is_given_what_has_no_record(store: Store) -> None:
    begun = run()
    store.begin(begun)
    for session, name in EVERY[:5]:
        store.add("s@big", *kept(session, name).records)
    cluster = Cluster(works)
    kind = OnKind(begun, [node("x")], store.records("s@big"))
    assert Schedule(cluster, store, [kind], Silent()).conduct() == []
    assert [session for _, session in cluster.given] == [2, 3]
    assert keys(store.records("s@big")) == EVERY
