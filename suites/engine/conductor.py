"""A run from its plan to its last record: the check first, then timed sessions."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from random import Random
from typing import Final, Literal, Protocol

from impls.interface import Problem
from suites.engine import stopping
from suites.engine.costs import beside_s, check_s, session_s
from suites.engine.dispatch import Dispatcher
from suites.engine.forecast import Forecast, Foreseen, Pace, cheapest, foreseen, size
from suites.engine.pools import Pool
from suites.engine.time_left import TimeLeft, time_left
from suites.measure import warm_up
from suites.records.lengths import worth
from suites.records.plan import Plan, Work
from suites.records.record import CHECK, Pair, Record
from suites.records.store import Run, Store

AHEAD: Final = 8
"""Timed sessions whose processes are started before the check, at most."""

Kind = Literal["check", "measure"]


class Listener(Protocol):
    """Is notified of a run's progress."""

    def phase(self, text: str, total: int) -> None:
        """A phase of so many records begins."""

    def record(self, record: Record) -> None:
        """A record was stored."""


@dataclass(slots=True)
class Conductor:
    """Carries out the plan of one run, without the records that are stored already.

    pool     the processes of its sessions
    begins   called before each task with its problem and the time left of the run
    now_s    a clock, seconds
    only     the one session that is carried out, 0 for the check; the run goes on after it. None:
             all of them, to the end of the run
    at_once  timed sessions that share the time left: others go on elsewhere
    """

    run: Run
    store: Store
    listener: Listener
    pool: Pool
    begins: Callable[[Problem, TimeLeft], None] = lambda *_: None
    now_s: Callable[[], float] = time.monotonic
    only: int | None = None
    at_once: int = 1
    _records: list[Record] = field(default_factory=list)
    _forecast: Forecast = field(default_factory=lambda: Forecast(()))
    _pace: dict[Kind, Pace] = field(default_factory=lambda: {"check": Pace(), "measure": Pace()})
    _dispatcher: Dispatcher = field(init=False)
    _began_s: float = 0.0
    _session_s: float = 0.0
    _start_s: float = 0.0
    _deadline_s: float = float("inf")
    _worth: dict[Problem, float] | None = None

    def __post_init__(self) -> None:
        self._dispatcher = Dispatcher(
            self.run, self.store, self.pool, self._keep, self._forecast.call_ms
        )
        if self.plan.steps:
            self._worth = worth(self.plan.cases, self.plan.problems)

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.run.plan

    def conduct(self) -> list[Record]:
        """Make the records that the plan wants and the store lacks; every record of the run."""
        self._records = self.store.records(self.run.name)
        for record in self._records:
            self._forecast.learn(record)
            self._dispatcher.samplers.learn(record)
        self._began_s = self.now_s()
        self._deadline_s = self._began_s + (self.plan.budget_s or float("inf"))
        try:
            if self.only is None:
                self._do_all()
            elif self.only == CHECK:
                self._settle()
                self._check()
            else:
                self._measure(self.only)
        finally:
            self._dispatcher.end_session()
        if self.only is None:
            self.store.end(self.run.name)
        return self._records

    def _do_all(self) -> None:
        """The check, then the timed sessions."""
        self._settle()
        self._start_ahead()
        self._check()
        self.pool.settle()
        for session in self.plan.session_numbers:
            if not self._is_enough(session):
                began_s = self.now_s()
                self._measure(session)
                self._session_s = self.now_s() - began_s
        self._list_unmeasured()

    def _settle(self) -> None:
        """Store what is known before anything runs."""
        if not any(r.session == CHECK for r in self._records):
            self._keep(*self.plan.settled())

    def _start_ahead(self) -> None:
        """Start the processes of the check and of the first sessions: they import meanwhile."""
        unchecked = bool(self.plan.unchecked(self._records))
        for session in (CHECK, *self.plan.session_numbers[: min(AHEAD, self.plan.fewest)]):
            if unchecked or (session != CHECK and self._untimed(session)):
                self.pool.start(session, self.plan.threads_of(session))

    def _check(self) -> None:
        """Agreement and memory of every pair; small problems first, to forecast the large ones."""
        waiting = sorted(self.plan.unchecked(self._records), key=lambda each: size(each[0]))
        self.listener.phase(_checking(waiting), sum(len(names) for _, names in waiting))
        while waiting:
            problem, names = waiting[0]
            within = self._within_budget(waiting)
            faults = {name: self._foreseen((problem, name), within) for name in names}
            self._keep(*filter(None, faults.values()))
            able = [name for name in names if faults[name] is None]
            if able:
                self.begins(problem, self._left_of_check(waiting))
            self._do("check", CHECK, problem, able)
            waiting = waiting[1:]
        self._dispatcher.end_session()

    def _measure(self, session: int) -> None:
        """One timed session of every pair that agrees, problems in an order drawn anew."""
        waiting = self._untimed(session)
        if not waiting:
            self.pool.drop(session)
            return
        Random(f"{self.plan.seed}|{session}").shuffle(waiting)
        total = sum(len(names) for _, names in waiting)
        self._warm_up(session, total)
        self._start_on_gpu(session)
        self.listener.phase(self._title(session), total)
        sessions_left = ceil((len(self.plan.session_numbers) - session + 1) / self.at_once)
        until_s = self.now_s() + (self._deadline_s - self.now_s()) / sessions_left
        whole_s = self._seconds(self._costs("measure", waiting, session + 1))
        start_s = self._start_s
        costs = self._costs("measure", waiting, session)  # its own times change the pace only
        first = self._timed_before(session)
        for problem, names in waiting:
            left_s = (until_s - self.now_s()) / self._pace["measure"].factor
            fitting = (
                costs.keys()
                if left_s == float("inf")
                else cheapest(costs, left_s, first, self._worth)
            )
            able = [name for name in names if (problem, name) in fitting]
            if able:
                pace = self._pace["measure"].factor
                own_s = pace * self._seconds(costs)
                self.begins(problem, self._left(session, own_s, pace * whole_s + start_s))
            self._do("measure", session, problem, able)
            for name in names:
                del costs[problem, name]
        self._dispatcher.end_session()

    def _warm_up(self, session: int, total: int) -> None:
        """Warm a GPU up before the first timed session; its seconds take no session away."""
        if not self._dispatcher.warms_up:
            return
        self.listener.phase(f"warming the GPU up, at most {warm_up.LONGEST_S:g} s", total)
        began_s = self.now_s()
        self._dispatcher.begin_session(session)
        self._began_s += self.now_s() - began_s

    def _start_on_gpu(self, session: int) -> None:
        """Start a session on a GPU before its first problem, in whose forecast it has no part.

        Starting CUDA and measuring the ceilings take a second, as long as some sessions.
        """
        if self._dispatcher.uses_gpu and not self._dispatcher.is_in_session:
            began_s = self.now_s()
            self._dispatcher.begin_session(session)
            self._start_s = self.now_s() - began_s

    def _timed_before(self, session: int) -> set[Pair]:
        """Pairs timed in the previous session: scheduled first, since they narrow an interval.

        In the first session, and in all of a recorded step, the baselines.
        """
        if session == 1 or self.plan.steps:
            return self._baselines(self.plan.untimed(self._records, session))
        return {r.pair for r in self._records if r.session == session - 1 and r.status == "ok"}

    def _baselines(self, work: list[Work]) -> set[Pair]:
        """The baseline of each problem, which every ratio and saving needs."""
        return {(problem, self.plan.baseline_of(own, problem.device)) for problem, own in work}

    def _is_enough(self, session: int) -> bool:
        """Whether a session beyond the fewest would end too late, lasting as long as the last."""
        would_end_s = self.now_s() - self._began_s + self._session_s
        return session > self.plan.fewest and would_end_s > (self.plan.enough_s or float("inf"))

    def _untimed(self, session: int) -> list[Work]:
        """What a session still has to time, without the problems known precisely enough."""
        enough = stopping.settled(self.plan, self._records, session)
        left = self.plan.untimed(self._records, session)
        return [(problem, names) for problem, names in left if problem not in enough]

    def _title(self, session: int) -> str:
        words = f"session {session} of {len(self.plan.session_numbers)}"
        if len(self.plan.threads) > 1:
            words += f", threads {self.plan.threads_of(session)}"
        return words if self.plan.precision is None else words.replace(" of ", " of at most ")

    def _do(self, kind: Kind, session: int, problem: Problem, names: list[str]) -> None:
        """Check or time implementations on a problem."""
        if not names:
            return
        costs = self._costs(kind, [(problem, names)], session)
        first_s = self._forecast.first_s(costs) if kind == "check" else 0.0
        began_s = self.now_s()
        if kind == "check":
            self._dispatcher.check(problem, names)
        else:
            self._dispatcher.measure(session, problem, names)
        self._pace[kind].learn(sum(costs.values()) + first_s, self.now_s() - began_s)

    def _left_of_check(self, waiting: list[Work]) -> TimeLeft:
        """The time left while these are unchecked: every pair that agrees is timed later."""
        checks = self._costs("check", waiting)
        timed = [*waiting, *self.plan.untimed(self._records, 1)]
        check_s = self._seconds(checks) + self._forecast.first_s(checks)
        session_s, first_s = (self._seconds(self._costs("measure", timed, n)) for n in (2, 1))
        pace, timed_pace = (self._pace[kind].factor for kind in ("check", "measure"))
        check_s = pace * check_s + timed_pace * (first_s - session_s)
        return self._left(CHECK, check_s, timed_pace * session_s)

    def _left(self, session: int, phase_s: float, session_s: float) -> TimeLeft:
        elapsed_s = self.now_s() - self._began_s
        return time_left(
            self.plan, session, elapsed_s=elapsed_s, phase_s=phase_s, session_s=session_s
        )

    def _seconds(self, costs: dict[Pair, float]) -> float:
        """The sum of forecasts; no pair takes longer than the time limit."""
        return sum(min(cost, self.plan.time_limit_s) for cost in costs.values())

    def _foreseen(self, pair: Pair, within: set[Pair] | None) -> Record | None:
        """The record of a pair that would exceed a limit or the budget; None otherwise."""
        found = foreseen(self._forecast, pair, self.plan)
        if found is None and within is not None and pair not in within:
            reason = f"the budget of {self._budget_min:g} min does not suffice for it (--budget)"
            found = Foreseen("timed_out", "budget", reason)
        return None if found is None else found.record(CHECK, pair)

    @property
    def _budget_min(self) -> float:
        return (self.plan.budget_s or 0) / 60

    def _within_budget(self, waiting: list[Work]) -> set[Pair] | None:
        """The unchecked pairs for which the budget suffices, timed sessions included.

        The baselines of a recorded step come first: without them its time is not known.
        """
        if self.plan.budget_s is None:
            return None
        timing_s = sum(self._timing_costs(self.plan.untimed(self._records, 1)).values())
        checks, timing = self._costs("check", waiting), self._timing_costs(waiting)
        pace = self._pace["check"].factor
        costs = {pair: pace * checks[pair] + timing[pair] for pair in checks}
        first_s = pace * self._forecast.first_s(costs)
        left_s = self._deadline_s - self.now_s() - timing_s - first_s
        first = self._baselines(waiting) if self.plan.steps else ()
        return cheapest(costs, left_s, first, self._worth)

    def _timing_costs(self, work: list[Work]) -> dict[Pair, float]:
        """Forecast of the seconds that all timed sessions take for each pair."""
        first, later = (self._costs("measure", work, session) for session in (1, 2))
        one, more = bool(self.plan.sessions), max(0, len(self.plan.session_numbers) - 1)
        pace = self._pace["measure"].factor
        return {pair: pace * (one * first[pair] + more * later[pair]) for pair in first}

    def _costs(self, kind: Kind, work: list[Work], session: int = CHECK) -> dict[Pair, float]:
        """Forecast of the seconds that a task takes for each pair, in a session."""
        forecast, plan = self._forecast, self.plan

        def cost_s(pair: Pair, among: int) -> float:
            if kind == "check":
                return check_s(forecast, pair, among)
            own_s = session_s(
                forecast,
                pair,
                among,
                plan.round_budget_ms,
                tail=plan.tail,
                in_layers=bool(plan.steps),
            )
            return own_s + beside_s(forecast, pair, sustained=plan.sustained) * (session == 1)

        pairs = ((problem, name, len(names)) for problem, names in work for name in names)
        return {(problem, name): cost_s((problem, name), among) for problem, name, among in pairs}

    def _list_unmeasured(self) -> None:
        """Record the pairs that agree and that no session had time for."""
        self._keep(*unmeasured(self.plan, self._records))

    def _keep(self, *made: Record) -> None:
        if not made:
            return
        host = socket.gethostname()
        made = tuple(replace(record, host=host) for record in made)
        self.store.add(self.run.name, *made)
        for record in made:
            self._records.append(record)
            self._forecast.learn(record)
            self.listener.record(record)


def unmeasured(plan: Plan, records: list[Record]) -> list[Record]:
    """Records of the pairs that agree and that no session of the run had time for."""
    if not plan.sessions:
        return []
    timed = {record.pair for record in records if record.session != CHECK}
    minutes = (plan.budget_s or 0) / 60
    reason = f"the budget of {minutes:g} min ended before it was timed (--budget)"
    ended = Foreseen("timed_out", "budget", reason)
    return [
        ended.record(1, (problem, name))
        for problem, names in plan.untimed(records, 1)
        for name in names
        if (problem, name) not in timed
    ]


def _checking(waiting: list[Work]) -> str:
    """The title of the check: the implementation, or how many there are."""
    names = {name for _, own in waiting for name in own}
    return f"checking {names.pop() if len(names) == 1 else f'{len(names)} implementations'}"
