"""Which node does what: the check of a run first, then its timed sessions on all its nodes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from suites.engine import stopping
from suites.engine.cluster.jobs import Begins, DoSession, Job, Kept, Refused
from suites.engine.cluster.luggage import Luggage
from suites.engine.cluster.nodes import Node
from suites.engine.cluster.pool import Cluster, Done, Event, Lost
from suites.engine.conductor import Listener, unmeasured
from suites.records.facts import SessionFacts
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store

MOST_LOSSES: Final = 3
"""Jobs in a row that a living node may lose without a record before it gets no more."""
LOOK_EVERY_S: Final = 0.5


@dataclass(slots=True)
class OnKind:
    """A run on the nodes of one kind: what it has, what is at work, what is left.

    nodes  that can be given work
    ended  why nodes of this kind left, in the order they did
    """

    run: Run
    nodes: list[Node]
    records: list[Record]
    now_s: Callable[[], float] = time.monotonic
    ended: list[str] = field(default_factory=list)
    verified: set[str] = field(default_factory=set)
    _at_work: dict[Node, int] = field(default_factory=dict)
    _began: dict[Node, float] = field(default_factory=dict)
    _waiting: deque[int] = field(init=False)
    _losses: dict[Node, int] = field(default_factory=dict)
    _is_checked: bool = False
    _began_s: float = field(init=False)
    _session_s: float = 0.0

    def __post_init__(self) -> None:
        self._began_s = self.now_s()
        self._waiting = deque(self.run.plan.session_numbers)
        checked = any(record.session == CHECK for record in self.records)
        self._is_checked = checked and not self.run.plan.unchecked(self.records)

    @property
    def at_work(self) -> bool:
        """Whether a node carries out a part of the run."""
        return bool(self._at_work)

    def given(self, node: Node) -> DoSession | None:
        """Work for a free node, which is at work from then on; None where there is none."""
        session = self._next()
        if session is None:
            return None
        self._at_work[node], self._began[node] = session, self.now_s()
        return DoSession(
            run=self._with_budget_left(),
            records=tuple(self.records),
            session=session,
            at_once=max(1, len(self.nodes)),
            verifies=node.key not in self.verified,
        )

    def done(self, node: Node) -> None:
        """What a node was given is done."""
        session = self._at_work.pop(node)
        self._losses.pop(node, None)
        self.verified.add(node.key)
        if session == CHECK:
            self._is_checked = True
        else:
            self._session_s = self.now_s() - self._began[node]

    def learn(self, node: Node, made: Iterable[Record]) -> None:
        """Records were made and stored."""
        self._losses.pop(node, None)
        self.records.extend(made)

    def lost(self, node: Node, reason: str, *, gone: bool) -> None:
        """What a node was given is not done: another one gets it.

        gone  whether the node takes no more work
        """
        session = self._at_work.pop(node)
        if session != CHECK:
            self._waiting.appendleft(session)
        self._losses[node] = self._losses.get(node, 0) + 1
        if gone or self._losses[node] >= MOST_LOSSES:
            self.nodes = [each for each in self.nodes if each != node]
            self.ended.append(f"{node.host}: {reason}")

    @property
    def is_stuck(self) -> bool:
        """Whether work is left and no node can do it."""
        return not self.nodes and self._peek() is not None

    def _next(self) -> int | None:
        session = self._peek()
        if session not in (None, CHECK):
            self._waiting.popleft()
        return session

    def _peek(self) -> int | None:
        """The next session, after those that have nothing to do were left out; None: none now."""
        if not self._is_checked:
            return None if CHECK in self._at_work.values() else CHECK
        while self._waiting and not self._has_work(self._waiting[0]):
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def _has_work(self, session: int) -> bool:
        plan, elapsed_s = self.run.plan, self.now_s() - self._began_s
        if elapsed_s > (plan.budget_s or float("inf")):
            return False
        if session > plan.fewest and elapsed_s + self._session_s > (plan.enough_s or float("inf")):
            return False
        enough = stopping.settled(plan, self.records, session)
        left = plan.untimed(self.records, session)
        return any(problem not in enough for problem, _ in left)

    def _with_budget_left(self) -> Run:
        """The run with the budget that is left; a node's conductor counts from its own start."""
        plan = self.run.plan
        if plan.budget_s is None:
            return self.run
        left_s = max(0.001, plan.budget_s - (self.now_s() - self._began_s))
        return replace(self.run, plan=replace(plan, budget_s=left_s))


@dataclass(slots=True)
class Schedule:
    """Carries out runs on the nodes of a cluster; the driver alone writes to the store.

    shows  called when a problem begins, where one job at a time goes on
    """

    cluster: Cluster
    store: Store
    kinds: list[OnKind]
    listener: Listener
    shows: Callable[[Begins], None] = lambda _: None
    _jobs: dict[Any, tuple[OnKind, Node]] = field(default_factory=dict)

    def conduct(self) -> list[OnKind]:
        """Carry out all runs as far as there are nodes; those that could not be finished."""
        self.listener.phase(self._title(), sum(map(_records, self.kinds)))
        self._give()
        while self._jobs:
            for job, event in self.cluster.events(LOOK_EVERY_S):
                if job in self._jobs:
                    self._handle(job, event)
            self._give()
        stuck = [each for each in self.kinds if each.is_stuck]
        for each in self.kinds:
            if each not in stuck:
                self._finish(each)
        return stuck

    def _give(self) -> None:
        """Give every free node work."""
        busy = {node for _, node in self._jobs.values()}
        for kind in self.kinds:
            for node in kind.nodes:
                if node not in busy and (work := kind.given(node)):
                    luggage = Luggage()
                    plan = luggage.sent(work.run.plan)
                    sent = replace(work, run=replace(work.run, plan=plan))
                    job = self.cluster.begin(node, Job(work=sent, files=luggage.packed()))
                    self._jobs[job] = kind, node

    def _handle(self, job: Any, event: Event) -> None:
        kind, node = self._jobs[job]
        if isinstance(event, Kept):
            self.store.add(kind.run.name, *event.records)
            kind.learn(node, event.records)
            for record in event.records:
                self.listener.record(record)
        elif isinstance(event, SessionFacts):
            self.store.note(kind.run.name, event)
        elif isinstance(event, Begins):
            if len(self._jobs) == len(self.kinds) == 1:
                self.shows(event)
        elif isinstance(event, Refused):
            kind.lost(node, event.reason, gone=True)
            del self._jobs[job]
        elif isinstance(event, Lost):
            kind.lost(node, event.reason, gone=event.gone)
            del self._jobs[job]
        elif isinstance(event, Done):
            kind.done(node)
            del self._jobs[job]

    def _finish(self, kind: OnKind) -> None:
        """Store what no session had time for, and the end of a run."""
        hosts = {record.pair: record.host for record in kind.records if record.session == CHECK}
        for record in unmeasured(kind.run.plan, kind.records):
            made = replace(record, host=hosts.get(record.pair, ""))
            self.store.add(kind.run.name, made)
            kind.records.append(made)
        self.store.end(kind.run.name)

    def _title(self) -> str:
        nodes = {node.key for kind in self.kinds for node in kind.nodes}
        return f"on {len(nodes)} node{'s' * (len(nodes) > 1)} of a cluster, at most"


def _records(kind: OnKind) -> int:
    """How many records a run still gets, at most."""
    plan = kind.run.plan
    unchecked = sum(len(names) for _, names in plan.unchecked(kind.records))
    agreed = [r for r in kind.records if r.session == CHECK and r.status == "ok"]
    timed = sum(record.session != CHECK for record in kind.records)
    return unchecked + (unchecked + len(agreed)) * len(plan.session_numbers) - timed
