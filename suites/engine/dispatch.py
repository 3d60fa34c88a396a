"""Gives tasks to sessions; when one dies, only the implementation that ended it has a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import sleep
from typing import Final

from impls.interface import Problem
from suites.engine.messages import LeftThreads, Made, Message, Surveyed, Uncapturable
from suites.engine.pools import Pool, Receive, Session
from suites.engine.protocol import Check, Measure, Wait
from suites.engine.samplers import Samplers
from suites.engine.tasks import Tasks
from suites.engine.watch import Ending, Watch
from suites.records.plan import Plan
from suites.records.record import CHECK, Cause, Pair, Record, Status
from suites.records.store import Run, Store
from suites.stats.ceilings import Ceiling

WATCHED_S: Final = 2.0
"""Seconds that a process is watched after a suspect left a thread in it."""
MakeTask = Callable[[Sequence[str]], Check | Measure]
"""Makes the task of some implementations."""


@dataclass(frozen=True, slots=True)
class _Death:
    """How a process ended.

    name   the implementation at work; "" for none
    alone  whether no other implementation had been in that process
    meant  whether the process ended itself after a failed capture, which is no fault
    """

    name: str
    ending: Ending
    alone: bool
    meant: bool = False


@dataclass(slots=True)
class Dispatcher:
    """Gives the tasks of one run to its sessions.

    keep         takes every record as it comes
    expected_ms  forecast of one call on a problem; None while not known
    """

    run: Run
    store: Store
    pool: Pool
    keep: Callable[[Record], None]
    expected_ms: Callable[[Pair], float | None]
    _tasks: Tasks = field(init=False)
    _current: tuple[Watch, Session] | None = None
    _in_process: set[str] = field(default_factory=set)
    _ends_processes: set[str] = field(default_factory=set)
    _left_threads: set[str] = field(default_factory=set)
    _ceilings: tuple[Ceiling, ...] = ()
    _is_warm: bool = False

    def __post_init__(self) -> None:
        self._tasks = Tasks(self.run, self.expected_ms)

    @property
    def samplers(self) -> Samplers:
        """How the problems on a GPU are timed."""
        return self._tasks.samplers

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.run.plan

    def check(self, problem: Problem, names: Sequence[str]) -> None:
        """Check implementations on a problem."""
        self._do(CHECK, problem, names, partial(self._tasks.check, problem))

    def measure(self, session: int, problem: Problem, names: Sequence[str]) -> None:
        """Time implementations on a problem."""

        def task(some: Sequence[str]) -> Measure:
            return self._tasks.measure(session, problem, some, self._ceilings)

        self._do(session, problem, names, task)

    def begin_session(self, session: int) -> None:
        """Start the process of a session, and survey it."""
        if self._current is None:
            self._begin(session)

    def end_session(self) -> None:
        """End the process in use."""
        if self._current is not None:
            self._current[1].end()
            self._current = None
            self._in_process.clear()

    def _do(
        self,
        session: int,
        problem: Problem,
        names: Sequence[str],
        task: MakeTask,
    ) -> None:
        """Have a record of every implementation; after a death the others use a new process."""
        left, deaths = list(names), 0
        while left:
            recorded, death = self._do_once(session, left, task)
            left = [name for name in left if name not in recorded]
            if death is None:
                reason = "its session gave no record of it"
                self._keep_faults(session, problem, left, "crashed", "no_record", reason)
                return
            if death.meant:
                continue
            deaths = 0 if recorded else deaths + 1
            if found := self._at_fault(session, left, death, task, again=deaths > 1):
                name, ending = found
                self._keep_faults(
                    session, problem, [name], ending.status, ending.cause, ending.reason
                )
                left.remove(name)
                deaths = 0
            elif deaths > 1:  # twice with no implementation at work
                reason = (
                    "its session ended twice before any implementation was at work: "
                    f"{death.ending.reason}"
                )
                self._keep_faults(session, problem, left, "crashed", "process_died", reason)
                return

    def _do_once(
        self,
        session: int,
        names: Sequence[str],
        task: MakeTask,
    ) -> tuple[set[str], _Death | None]:
        """The implementations of which one process gave records, and how it died if it did."""
        watch, process = self._current or self._begin(session)
        self._in_process |= set(names)
        recorded: set[str] = set()

        def receive(message: Message) -> None:
            if isinstance(message, Made):
                recorded.add(message.record.implementation)
                self.samplers.learn(message.record)
                self.keep(message.record)
            elif isinstance(message, LeftThreads):
                self._left_threads.add(message.implementation)

        ending, meant = self._asked(process, task(names), receive)
        if ending is None:
            return recorded, None
        name = watch.at_work[1] if watch.at_work else ""
        alone = len(self._in_process) == 1
        self.end_session()
        return recorded, _Death("" if name in recorded else name, ending, alone, meant)

    def _at_fault(
        self,
        session: int,
        left: Sequence[str],
        death: _Death,
        task: MakeTask,
        *,
        again: bool,
    ) -> tuple[str, Ending] | None:
        """The implementation that ended a process: mostly the one at work.

        Where others had been in the process, the one at work must end a process of its own as well,
        once; otherwise one that leaves threads may. None where none does: another process may fare
        better, unless this happens again.
        """
        name, ending = death.name, death.ending
        known = death.alone or name in self._ends_processes or ending.status != "crashed"
        if name and known:
            return name, ending
        suspects = [name] if name else []
        # A check works on one implementation after the other, so the earlier ones have records.
        if again or (name and session != CHECK):
            suspects += [each for each in left if each in self._left_threads and each != name]
        for each in suspects:
            if alone := self._ending_alone(session, each, task):
                self._ends_processes.add(each)
                return each, alone
        return (name, ending) if name and again else None

    def _ending_alone(self, session: int, name: str, task: MakeTask) -> Ending | None:
        """How a process ends that only this implementation uses; None when it stays."""
        _, process = self._begin(session)
        try:
            ending, meant = self._asked(process, task([name]), lambda _: None)
            if meant:
                self.end_session()
                _, process = self._begin(session)
                ending, _ = self._asked(process, task([name]), lambda _: None)
            if ending is None and name in self._left_threads:
                sleep(WATCHED_S)
                ending = process.ask(Wait(), lambda _: None)
            return ending
        finally:
            self.end_session()

    def _asked(
        self, process: Session, task: Check | Measure, receive: Receive
    ) -> tuple[Ending | None, bool]:
        """How a process ended, if it did, and whether it ended itself after a failed capture."""
        failed: list[Uncapturable] = []

        def heard(message: Message) -> None:
            if isinstance(message, Uncapturable):
                failed.append(message)
            receive(message)

        ending = process.ask(task, heard)
        for each in failed:
            self.samplers.use_events(task.problem, each.implementation, each.reason)
        return ending, bool(failed)

    def _begin(self, session: int) -> tuple[Watch, Session]:
        """The process of a session; a timed session is surveyed first."""
        threads = self.plan.threads_of(session)
        self._current = self.pool.take(session, threads)
        self._ceilings = ()
        survey = self._tasks.survey(session, warms_up=self.warms_up)
        if session != CHECK and self._current[1].ask(survey, self._surveyed):
            self.end_session()  # the survey ended it: another one measures without ceilings
            self._current = self.pool.take(session, threads)
        return self._current

    @property
    def warms_up(self) -> bool:
        """Whether the next session warms an NVIDIA device up: the first one of this process."""
        used = {problem.device for problem in self.plan.problems} & self._tasks.devices
        return "cuda" in used and not self._is_warm

    def _surveyed(self, message: Message) -> None:
        if isinstance(message, Surveyed):
            self._ceilings = message.facts.ceilings
            self._is_warm = self._is_warm or message.facts.warm_up is not None
            self.store.note(self.run.name, message.facts)

    def _keep_faults(
        self,
        session: int,
        problem: Problem,
        names: Sequence[str],
        status: Status,
        cause: Cause,
        reason: str,
    ) -> None:
        for name in names:
            self.keep(
                Record(
                    session=session,
                    problem=problem,
                    implementation=name,
                    status=status,
                    cause=cause,
                    reason=reason,
                )
            )
