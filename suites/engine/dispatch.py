"""Gives tasks to sessions; when one dies, only the implementation that ended it has a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import sleep
from typing import Final

from impls.interface import Problem
from suites.engine.messages import LeftThreads, Made, Message, Surveyed, Uncapturable
from suites.engine.pools import Pool, Receive, Session
from suites.engine.protocol import Check, Measure, Wait
from suites.engine.samplers import Samplers
from suites.engine.tasks import Tasks
from suites.engine.together.asking import Ended, ask_together
from suites.engine.watch import Ending, Watch
from suites.records.plan import AGAIN, Plan
from suites.records.record import CHECK, Cause, Pair, Record, Status
from suites.records.store import Run, Store
from suites.stats.ceilings import Ceiling

WATCHED_S: Final = 2.0
"""Seconds that a process is watched after a suspect left a thread in it."""
OnProblem = Check | Measure
MakeTasks = Callable[[Sequence[str]], Mapping[str, OnProblem]]
"""Makes the tasks of some implementations, by the process that does each; the first one leads."""


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
    _current: dict[str, tuple[Watch, Session]] = field(default_factory=dict)
    _in_process: dict[str, set[str]] = field(default_factory=dict)
    _ends_processes: set[str] = field(default_factory=set)
    _left_threads: set[str] = field(default_factory=set)
    _ceilings: tuple[Ceiling, ...] = ()
    _is_warm: bool = False

    def __post_init__(self) -> None:
        self._tasks = Tasks(self.run, self.expected_ms, self.pool.meeting)

    @property
    def samplers(self) -> Samplers:
        """How the problems on a GPU are timed."""
        return self._tasks.samplers

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.run.plan

    def check(self, problem: Problem, names: Sequence[str]) -> None:
        """Check implementations on a problem, each in its process."""

        def tasks(some: Sequence[str]) -> Mapping[str, OnProblem]:
            return {self.plan.process_of(some[0]): self._tasks.check(problem, some)}

        groups = self.plan.processes(names, problem.device)
        for process, own in groups.items():
            if process != AGAIN:
                self._do(CHECK, problem, own, tasks)

    def measure(self, session: int, problem: Problem, names: Sequence[str]) -> None:
        """Time implementations on a problem."""

        def tasks(some: Sequence[str]) -> Mapping[str, OnProblem]:
            return self._tasks.measure(session, problem, some, self._ceilings)

        self._do(session, problem, names, tasks)

    def begin_session(self, session: int) -> None:
        """Start the first process of a session, and survey it."""
        if not self._current:
            self._begin(session, [self.plan.first_process])

    @property
    def is_in_session(self) -> bool:
        """Whether processes of a session are in use."""
        return bool(self._current)

    def end_session(self) -> None:
        """End the processes in use."""
        for _, process in self._current.values():
            process.end()
        self._current.clear()
        self._in_process.clear()

    def _do(
        self,
        session: int,
        problem: Problem,
        names: Sequence[str],
        tasks: MakeTasks,
    ) -> None:
        """Have a record of every implementation; after a death the others use a new process."""
        left, deaths = list(names), 0
        while left:
            recorded, death = self._do_once(session, left, tasks)
            left = [name for name in left if name not in recorded]
            if death is None:
                reason = "its session gave no record of it"
                self._keep_faults(session, problem, left, "crashed", "no_record", reason)
                return
            if death.meant:
                continue
            deaths = 0 if recorded else deaths + 1
            if found := self._at_fault(session, left, death, tasks, again=deaths > 1):
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
        tasks: MakeTasks,
    ) -> tuple[set[str], _Death | None]:
        """The implementations that have records now, and how a process died if one did."""
        self._begin(session, list(tasks(names)))
        given = tasks(names)  # now the ceilings of the session are known
        for name, task in given.items():
            self._in_process.setdefault(name, set()).update(task.implementations)
        recorded: set[str] = set()

        def receive(message: Message) -> None:
            if isinstance(message, Made):
                recorded.add(message.record.implementation)
                self.samplers.learn(message.record)
                self.keep(message.record)
            elif isinstance(message, LeftThreads):
                self._left_threads.add(message.implementation)

        found, meant = self._asked(given, receive)
        if found is None:
            return recorded, None
        watch = self._current[found.process][0]
        name = watch.at_work[1] if watch.at_work else ""
        alone = len(self._in_process[found.process]) == 1
        self.end_session()
        return recorded, _Death("" if name in recorded else name, found.ending, alone, meant)

    def _at_fault(
        self,
        session: int,
        left: Sequence[str],
        death: _Death,
        tasks: MakeTasks,
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
            if alone := self._ending_alone(session, each, tasks):
                self._ends_processes.add(each)
                return each, alone
        return (name, ending) if name and again else None

    def _ending_alone(self, session: int, name: str, tasks: MakeTasks) -> Ending | None:
        """How a process ends that only this implementation uses; None when it stays."""
        process = self.plan.process_of(name)
        self._begin(session, [process])
        try:
            found, meant = self._asked(tasks([name]), lambda _: None)
            if meant:
                self.end_session()
                self._begin(session, [process])
                found, _ = self._asked(tasks([name]), lambda _: None)
            if found is None and name in self._left_threads:
                sleep(WATCHED_S)
                return self._current[process][1].ask(Wait(), lambda _: None)
            return found.ending if found else None
        finally:
            self.end_session()

    def _asked(self, tasks: Mapping[str, OnProblem], receive: Receive) -> tuple[Ended | None, bool]:
        """The process that ended, if one did, and whether it did itself after a failed capture."""
        failed: list[Uncapturable] = []

        def heard(message: Message) -> None:
            if isinstance(message, Uncapturable):
                failed.append(message)
            receive(message)

        found = ask_together({n: (self._current[n][1], task) for n, task in tasks.items()}, heard)
        problem = next(iter(tasks.values())).problem
        for each in failed:
            self.samplers.use_events(problem, each.implementation, each.reason)
        return found, bool(failed)

    def _begin(self, session: int, processes: Sequence[str]) -> None:
        """Start those of a session's processes that are not in use; timed ones are surveyed."""
        new = [each for each in processes if each not in self._current]
        threads = self.plan.threads_of(session)
        for each in new[1:]:
            self.pool.start(session, threads, each)
        for each in new:
            self._current[each] = self.pool.take(session, threads, each)
        if len(new) > 1:  # all have imported torch before one of them is surveyed
            ask_together({n: (self._current[n][1], Wait()) for n in new}, lambda _: None)
        for each in new if session != CHECK else ():
            self._survey(session, each, leads=each == processes[0])

    def _survey(self, session: int, process: str, *, leads: bool) -> None:
        """Have a process report its facts, and the first one the ceilings."""
        if leads:
            self._ceilings = ()
        survey = self._tasks.survey(session, process, leads=leads, warms_up=leads and self.warms_up)
        if self._current[process][1].ask(survey, self._surveyed):
            # The survey ended it: another one measures without ceilings.
            self._current[process][1].end()
            threads = self.plan.threads_of(session)
            self._current[process] = self.pool.take(session, threads, process)

    @property
    def uses_gpu(self) -> bool:
        """Whether problems of the plan are on an NVIDIA device of this machine."""
        used = {problem.device for problem in self.plan.problems} & self._tasks.devices
        return "cuda" in used

    @property
    def warms_up(self) -> bool:
        """Whether the next session warms an NVIDIA device up: the first one of this process."""
        return self.uses_gpu and not self._is_warm

    def _surveyed(self, message: Message) -> None:
        if isinstance(message, Surveyed):
            self._ceilings = message.facts.ceilings or self._ceilings
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
