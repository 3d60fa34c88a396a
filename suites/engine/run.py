"""A run from its plan to its last record: check first, then timed sessions, each record stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, Protocol

from suites.engine import stopping
from suites.engine.asking import Asking, Pool
from suites.engine.forecast import (
    BUDGET,
    Forecast,
    Pace,
    Pair,
    cheapest,
    check_s,
    foreseen,
    session_s,
    size,
)
from suites.records.plan import Plan
from suites.records.record import CHECK, Record, Status
from suites.records.store import Run, Store

AHEAD: Final = 8
"""Timed sessions whose processes are started before the check, at most."""


class Listener(Protocol):
    """Hears of a run while it goes on."""

    def phase(self, text: str, total: int) -> None:
        """A phase of so many records begins."""

    def record(self, record: Record) -> None:
        """A record was stored."""


@dataclass(slots=True)
class Conductor:
    """Carries out the plan of one run: minus the records it has already.

    processes  where the sessions' processes come from
    begins     hears of every problem that is about to be asked
    now_s      a clock, seconds
    """

    run: Run
    store: Store
    listener: Listener
    processes: Pool
    begins: Callable[[str], None] = lambda _: None
    now_s: Callable[[], float] = time.monotonic
    _records: list[Record] = field(default_factory=list)
    _forecast: Forecast = field(default_factory=lambda: Forecast(()))
    _pace: dict[str, Pace] = field(default_factory=lambda: {"check": Pace(), "measure": Pace()})
    _asking: Asking = field(init=False)
    _began_s: float = 0.0
    _session_s: float = 0.0
    _deadline_s: float = float("inf")

    def __post_init__(self) -> None:
        self._asking = Asking(
            self.run,
            self.store,
            self.processes,
            self._keep,
            self._forecast.call_ms,
        )

    @property
    def plan(self) -> Plan:
        """What is to be done."""
        return self.run.plan

    def conduct(self) -> list[Record]:
        """Do what the plan asks and the store lacks; every record of the run."""
        self._records = self.store.records(self.run.name)
        for record in self._records:
            self._forecast.learn(record)
        self._began_s = self.now_s()
        self._deadline_s = self._began_s + (self.plan.budget_s or float("inf"))
        try:
            self._settle()
            self._start_ahead()
            self._check()
            self.processes.settle()
            for session in self.plan.session_numbers:
                if not self._is_enough(session):
                    began_s = self.now_s()
                    self._measure(session)
                    self._session_s = self.now_s() - began_s
            self._list_unmeasured()
        finally:
            self._asking.end_session()
        self.store.end(self.run.name)
        return self._records

    def _settle(self) -> None:
        """Store what is known before anything runs."""
        if not any(r.session == CHECK for r in self._records):
            self._keep(*self.plan.settled())

    def _start_ahead(self) -> None:
        """Have the processes of the check and of the first sessions import, nothing timed yet."""
        unchecked = bool(self.plan.unchecked(self._records))
        for session in (CHECK, *self.plan.session_numbers[: min(AHEAD, self.plan.fewest)]):
            if unchecked or (session != CHECK and self._untimed(session)):
                self.processes.start(session, self.plan.threads_of(session))

    def _check(self) -> None:
        """Agreement and memory of every pair; small problems first, which foretell the large."""
        waiting = sorted(self.plan.unchecked(self._records), key=lambda each: size(each[0]))
        self.listener.phase("checking agreement", sum(len(names) for _, names in waiting))
        while waiting:
            problem, names = waiting[0]
            within = self._within_budget(waiting)
            faults = {name: self._foreseen((problem, name), within) for name in names}
            self._keep(*filter(None, faults.values()))
            self._ask("check", CHECK, problem, [name for name in names if faults[name] is None])
            waiting = waiting[1:]
        self._asking.end_session()

    def _measure(self, session: int) -> None:
        """One timed session of every pair that agrees, problems in an order drawn anew."""
        waiting = self._untimed(session)
        if not waiting:
            self.processes.drop(session)
            return
        Random(f"{self.plan.seed}|{session}").shuffle(waiting)
        self.listener.phase(self._title(session), sum(len(names) for _, names in waiting))
        sessions_left = len(self.plan.session_numbers) - session + 1
        until_s = self.now_s() + (self._deadline_s - self.now_s()) / sessions_left
        costs = self._costs("measure", waiting)  # what is timed now foretells only the pace
        first = self._timed_before(session)
        for problem, names in waiting:
            left_s = (until_s - self.now_s()) / self._pace["measure"].factor
            fitting = costs.keys() if left_s == float("inf") else cheapest(costs, left_s, first)
            able = [name for name in names if (problem, name) in fitting]
            self._ask("measure", session, problem, able)
            for name in names:
                del costs[problem, name]
        self._asking.end_session()

    def _timed_before(self, session: int) -> set[Pair]:
        """Who has times of the session before: another one narrows an interval, a first has none.

        In the first session the baseline, which all are paired with.
        """
        if session == 1:
            return {(problem, self.plan.baseline) for problem in self.plan.problems}
        before = (r for r in self._records if r.session == session - 1 and r.status == "ok")
        return {(record.problem, record.implementation) for record in before}

    def _is_enough(self, session: int) -> bool:
        """Whether a session beyond the fewest need not begin: one like the last would end late."""
        foreseen_s = self.now_s() - self._began_s + self._session_s
        return session > self.plan.fewest and foreseen_s > (self.plan.enough_s or float("inf"))

    def _untimed(self, session: int) -> list[tuple[str, list[str]]]:
        """What a session still has to time, without the problems known precisely enough."""
        enough = stopping.settled(self.plan, self._records, session)
        left = self.plan.untimed(self._records, session)
        return [(problem, names) for problem, names in left if problem not in enough]

    def _title(self, session: int) -> str:
        words = f"measuring, session {session} of {len(self.plan.session_numbers)}"
        if len(self.plan.threads) > 1:
            words += f", threads {self.plan.threads_of(session)}"
        return words if self.plan.precision is None else words.replace(" of ", " of at most ")

    def _ask(self, task: str, session: int, problem: str, names: list[str]) -> None:
        """Have implementations answer a problem, whoever listens told before."""
        if not names:
            return
        self.begins(problem)
        costs = self._costs(task, [(problem, names)])
        first_s = self._forecast.first_s(costs) if task == "check" else 0.0
        began_s = self.now_s()
        self._asking.ask(task, session, problem, names)
        self._pace[task].learn(sum(costs.values()) + first_s, self.now_s() - began_s)

    def _foreseen(self, pair: Pair, within: set[Pair] | None) -> Record | None:
        """The record of a pair that would break a limit, without harming anything."""
        answer = foreseen(self._forecast, pair, self.plan)
        if answer is None and within is not None and pair not in within:
            minutes = (self.plan.budget_s or 0) / 60
            answer = (
                "timed_out",
                f"foreseen: the budget of {minutes:g} min does not hold it {BUDGET}",
            )
        return None if answer is None else self._fault(CHECK, *pair, *answer)

    def _within_budget(self, waiting: list[tuple[str, list[str]]]) -> set[Pair] | None:
        """The pairs still to be checked that the budget holds, with their timed sessions."""
        if self.plan.budget_s is None:
            return None
        agreed = self.plan.untimed(self._records, 1)
        times = len(self.plan.session_numbers) * self._pace["measure"].factor
        timing_s = times * sum(self._costs("measure", agreed).values())
        checks, sessions = self._costs("check", waiting), self._costs("measure", waiting)
        pace = self._pace["check"].factor
        costs = {pair: pace * checks[pair] + times * sessions[pair] for pair in checks}
        first_s = pace * self._forecast.first_s(costs)
        return cheapest(costs, self._deadline_s - self.now_s() - timing_s - first_s)

    def _costs(self, task: str, waiting: list[tuple[str, list[str]]]) -> dict[Pair, float]:
        """Seconds that a task takes for each pair, as foretold."""
        timed_s = partial(session_s, round_budget_ms=self.plan.round_budget_ms)
        cost_s = check_s if task == "check" else timed_s
        return {
            (problem, name): cost_s(self._forecast, (problem, name), len(names))
            for problem, names in waiting
            for name in names
        }

    def _list_unmeasured(self) -> None:
        """Record the pairs that agree and that no session had time for."""
        if not self.plan.sessions:
            return
        timed = {(r.problem, r.implementation) for r in self._records if r.session != CHECK}
        minutes = (self.plan.budget_s or 0) / 60
        reason = f"the budget of {minutes:g} min ended before it was timed {BUDGET}"
        left = [
            self._fault(1, problem, name, "timed_out", reason)
            for problem, names in self.plan.untimed(self._records, 1)
            for name in names
            if (problem, name) not in timed
        ]
        self._keep(*left)

    def _fault(self, session: int, problem: str, name: str, status: Status, reason: str) -> Record:
        return Record(
            session=session, problem=problem, implementation=name, status=status, reason=reason
        )

    def _keep(self, *made: Record) -> None:
        if not made:
            return
        self.store.add(self.run.name, *made)
        for record in made:
            self._records.append(record)
            self._forecast.learn(record)
            self.listener.record(record)
