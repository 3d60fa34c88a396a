"""Having implementations answer in processes: a death costs whoever caused it its record alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final, Protocol

from impls.interface import Problem
from suites.engine.watch import Ending, Watch
from suites.measure import ceilings
from suites.records import record as records
from suites.records.plan import Plan
from suites.records.record import CHECK, Record, Status
from suites.records.store import Run, Store

LASTING_S: Final = 2.0
"""So long a process is watched in which a suspect left a thread."""
CEILING_MS: Final = 4.0
"""What finding a ceiling may take, for each problem of a session."""


class Asked(Protocol):
    """What a run needs of a session; tests hand in one that starts no process."""

    def ask(self, task: dict[str, Any], receive: Callable[[dict[str, Any]], None]) -> Ending | None:
        """Answer a task, passing on its messages; None when answered, else why it died."""

    def end(self) -> None:
        """Leave nothing running."""


class Pool(Protocol):
    """Where a run takes the processes of its sessions from."""

    def start(self, session: int, threads: int) -> None:
        """Start one before its turn."""

    def take(self, session: int, threads: int) -> tuple[Watch, Asked]:
        """One to be asked, under a watch."""

    def settle(self) -> None:
        """Wait until those started are ready."""

    def drop(self, session: int) -> None:
        """End one that has nothing to do."""


@dataclass(frozen=True, slots=True)
class _Death:
    """How a process ended.

    name   who had the turn; "" is nobody
    alone  whether nobody else had been there
    """

    name: str
    ending: Ending
    alone: bool


@dataclass(slots=True)
class Asking:
    """Puts the tasks of one run to its processes.

    keep         takes every record as it comes
    expected_ms  what a call of an implementation on a problem is known to take
    """

    run: Run
    store: Store
    processes: Pool
    keep: Callable[[Record], None]
    expected_ms: Callable[[tuple[str, str]], float | None]
    _current: tuple[Watch, Asked] | None = None
    _there: set[str] = field(default_factory=set)
    _found_out: set[str] = field(default_factory=set)
    _left_threads: set[str] = field(default_factory=set)
    _ceilings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def plan(self) -> Plan:
        """What is to be done."""
        return self.run.plan

    def ask(self, task: str, session: int, problem: str, names: list[str]) -> None:
        """Have implementations answer a problem, in a process anew for those whom a death left."""
        left, deaths = list(names), 0
        while left:
            answered, death = self._ask_once(task, session, problem, left)
            left = [name for name in left if name not in answered]
            if death is None:
                self._fault(session, problem, left, "crashed", "its session gave no record of it")
                return
            deaths = 0 if answered else deaths + 1
            if guilty := self._guilty(task, session, problem, left, death, again=deaths > 1):
                name, ending = guilty
                self._fault(session, problem, [name], ending.status, ending.reason)
                left.remove(name)
                deaths = 0
            elif deaths > 1:  # twice without anyone to blame
                reason = "its session ended twice before anything was at work"
                why = f"{reason}: {death.ending.reason}"
                self._fault(session, problem, left, "crashed", why)
                return

    def end_session(self) -> None:
        """End the process that is being asked."""
        if self._current is not None:
            self._current[1].end()
            self._current = None
            self._there.clear()

    def _ask_once(
        self, task: str, session: int, problem: str, names: list[str]
    ) -> tuple[set[str], _Death | None]:
        """Whose records one process gave before it was done or died, and how it died."""
        watch, asked = self._current or self._begin(session)
        self._there |= set(names)
        answered: set[str] = set()

        def receive(message: dict[str, Any]) -> None:
            if message["kind"] == "record":
                made = records.from_json(message["record"])
                answered.add(made.implementation)
                self.keep(made)
            elif message["kind"] == "threads":
                self._left_threads.add(message["implementation"])

        ending = asked.ask(self._task(task, session, problem, names), receive)
        if ending is None:
            return answered, None
        name = watch.at_work[1] if watch.at_work else ""
        alone = len(self._there) == 1
        self.end_session()
        return answered, _Death("" if name in answered else name, ending, alone)

    def _guilty(
        self,
        task: str,
        session: int,
        problem: str,
        left: list[str],
        death: _Death,
        *,
        again: bool,
    ) -> tuple[str, Ending] | None:
        """Who ended a process: mostly whoever had the turn, but a thread may outlast its call.

        Where others had been there, whoever had the turn has to end a process alone as well, once;
        else one who leaves threads may. None where nobody does: another process may fare better,
        unless this happens again.
        """
        name, ending = death.name, death.ending
        if name and (death.alone or name in self._found_out or ending.status != "crashed"):
            return name, ending
        suspects = [name] if name else []
        # A check asks one after the other: who was there has answered. So has mostly whoever ended
        # a process in nobody's turn: one that is not sound any more ends once a record is sent.
        if again or (name and task != "check"):
            suspects += [each for each in left if each in self._left_threads and each != name]
        for each in suspects:
            if alone := self._ending_alone(task, session, problem, each):
                self._found_out.add(each)
                return each, alone
        return (name, ending) if name and again else None

    def _ending_alone(self, task: str, session: int, problem: str, name: str) -> Ending | None:
        """How a process ends that nobody else has been in; None when it answers, and stays."""
        _, asked = self._begin(session)
        try:
            ending = asked.ask(self._task(task, session, problem, [name]), lambda _: None)
            if ending is None and name in self._left_threads:
                sleep(LASTING_S)
                ending = asked.ask({"task": "wait"}, lambda _: None)
            return ending
        finally:
            self.end_session()

    def _begin(self, session: int) -> tuple[Watch, Asked]:
        """The process of a session; one that times has told its ceilings before anything else."""
        threads = self.plan.threads_of(session)
        self._current = self.processes.take(session, threads)
        self._ceilings = []
        if session != CHECK and self._current[1].ask(self._survey(), self._note(session)):
            self.end_session()  # it died of that: another one measures without ceilings
            self._current = self.processes.take(session, threads)
        return self._current

    def _survey(self) -> dict[str, Any]:
        problems = [Problem.parse(text) for text in self.plan.problems]
        return {
            "task": "survey",
            "devices": sorted({problem.device for problem in problems}),
            "dtypes": sorted({problem.dtype for problem in problems}),
            "budget_ms": min(ceilings.BUDGET_MS, CEILING_MS * len(problems)),
        }

    def _note(self, session: int) -> Callable[[dict[str, Any]], None]:
        """What keeps the facts that a process tells of itself."""

        def receive(message: dict[str, Any]) -> None:
            if message["kind"] == "facts":
                self._ceilings = message["facts"]["ceilings"]
                self.store.note(self.run.name, session, message["facts"])

        return receive

    def _task(self, task: str, session: int, problem: str, names: list[str]) -> dict[str, Any]:
        return {
            "task": task,
            "session": session,
            "problem": problem,
            "implementations": names,
            "files": {e.name: e.files for e in self.plan.entries if e.name in names},
            "expected_ms": {name: self.expected_ms((problem, name)) or 0.0 for name in names},
            "seed": self.plan.seed,
            "memory_limit": self.plan.memory_limit,
            "round_budget_ms": self.plan.round_budget_ms,
            "threads": self.plan.threads_of(session),
            "cache": self.plan.cache,
            "twin_of": self.plan.twin_of(names),
            "ceilings": self._ceilings,
        }

    def _fault(
        self, session: int, problem: str, names: list[str], status: Status, reason: str
    ) -> None:
        for name in names:
            self.keep(
                Record(
                    session=session,
                    problem=problem,
                    implementation=name,
                    status=status,
                    reason=reason,
                )
            )
