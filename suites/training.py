"""Trains small models with implementations inside, in session processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Final, NamedTuple

from impls.interface import Problem
from suites.conducting import NOT_KEPT, Live, callable_plan, unstarted_pool
from suites.engine.local_pool import LocalPool
from suites.engine.messages import LeftThreads, Made, Message, Trained
from suites.engine.tasks import Tasks
from suites.engine.watch import Ending
from suites.learning.gate import HONEST, JUDGED_STEPS
from suites.learning.tasks import TASKS, LearningTask
from suites.records.learning import Training
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store, now
from suites.request.participants import is_meant
from suites.request.planning import Request

TIME_LIMIT_S: Final = 600.0
"""Seconds that one training may take unless --time-limit says otherwise: a training takes 5 s of
CPU time on a quiet machine with sdpa_math, and an eager implementation some times that."""
THREADS: Final = (1,)
"""OpenMP threads unless --threads says otherwise: the models are small."""
RECALLS: Final = "sdpa_math"
"""The implementation that recall is learnt with, where none of those named accepts its masks."""
_NO_SKLEARN: Final = (
    "scikit-learn is not installed, which has the digits that a model learns; install the extra: "
    'python -m pip install -c constraints.txt -e ".[models]"'
)


@dataclass(frozen=True, slots=True)
class LearntRun:
    """A run with its trainings, in the order of the tasks and of the plan.

    named  the implementations that were named; the honest ones are trained beside them
    """

    run: Run
    named: tuple[str, ...]
    trainings: tuple[Training, ...]


class Lesson(NamedTuple):
    """One model to train."""

    task: LearningTask
    problem: Problem
    entry: Entry


def learn(request: Request, command: str, live: Live, steps: int) -> LearntRun:
    """Train the model of every task with every implementation that accepts its problem.

    request  names implementations; the honest ones take part anyway
    steps    of each training

    Raises ValueError for what makes no sense, and without scikit-learn.
    """
    if find_spec("sklearn") is None:
        raise ValueError(_NO_SKLEARN)
    if steps < JUDGED_STEPS:
        raise ValueError(f"--steps is {steps}; expected {JUDGED_STEPS} or more, which are judged")
    asked = _with_defaults(request)
    with unstarted_pool(asked) as pool:
        plan, machine = callable_plan(asked, pool)
        named = _named(plan, request)
        store = Store.open(NOT_KEPT)
        run = Run(
            name=store.unused_name("learn"),
            started=now(),
            command=command,
            plan=plan,
            machine=machine,
        )
        lessons = list(_lessons(plan, named))
        with live:
            live.phase("training small models", len(lessons))
            trainings = tuple(_trained(run, pool, each, live, steps) for each in lessons)
    return LearntRun(replace(run, ended=now()), named, trainings)


def _with_defaults(request: Request) -> Request:
    """The request with the problems of all tasks, with the honest implementations."""
    specs = request.specs
    if specs is not None:
        specs = (*specs, *(name for name in HONEST if name not in specs))
    threads = {"--threads": request.settings.get("threads", THREADS)}
    for name, values in {**request.axes, **threads}.items():
        if len(values) > 1:
            raise ValueError(f"{name} has {len(values)} values; learn trains with one at a time")
    return replace(
        request,
        specs=specs,
        problems=tuple(words for task in TASKS.values() for words in task.problems),
        settings={"time_limit_s": TIME_LIMIT_S, "threads": THREADS, **request.settings},
    )


def _named(plan: Plan, request: Request) -> tuple[str, ...]:
    """The implementations that the user named; empty: all take part unnamed."""
    specs = request.specs or ()
    return tuple(e.name for e in plan.entries if any(is_meant(e, spec) for spec in specs))


def _lessons(plan: Plan, named: Sequence[str]) -> Iterator[Lesson]:
    """The models to train: of judged tasks with every implementation, of others with one."""
    left = iter(plan.problems)  # in the order of the tasks
    for task in TASKS.values():
        for _ in task.problems:
            problem = next(left)
            entries = plan.entries if task.is_judged else _one(plan, named, problem)
            yield from (Lesson(task, problem, entry) for entry in entries)


def _one(plan: Plan, named: Sequence[str], problem: Problem) -> Sequence[Entry]:
    """The first named implementation that accepts a problem, else the usual one."""
    usual = [each for each in plan.entries if each.name == RECALLS]
    able = [
        each
        for each in plan.entries
        if each.name in named
        and each.panel == "attention"
        and not (each.missing or each.fault)
        and not each.refusals(problem, plan.capability)
    ]
    return (able or usual)[:1]


def _trained(run: Run, pool: LocalPool, lesson: Lesson, live: Live, steps: int) -> Training:
    """The training of one model; its record advances the screen."""
    pair = (lesson.problem, lesson.entry.name)
    settled = (each for each in run.plan.settled() if each.pair == pair)
    found = next(settled, None) or _taught(run, pool, lesson, steps)
    if isinstance(found, Training):
        live.record(Record(session=CHECK, problem=pair[0], implementation=pair[1], status="ok"))
        return found
    live.record(found)
    return Training(
        task=lesson.task.name,
        implementation=lesson.entry.name,
        problem=lesson.problem,
        threads=run.plan.threads[0],
        status=found.status,
        reason=found.reason,
    )


@dataclass(slots=True)
class _Heard:
    """The messages of a process about one training."""

    trainings: list[Training] = field(default_factory=list)
    faults: list[Record] = field(default_factory=list)
    left_threads: bool = False

    def receive(self, message: Message) -> None:
        """Keep what a message says."""
        if isinstance(message, Trained):
            self.trainings.append(message.training)
        elif isinstance(message, Made):
            self.faults.append(message.record)
        self.left_threads |= isinstance(message, LeftThreads)

    @property
    def is_sound(self) -> bool:
        """Whether the process may train the next model."""
        return bool(self.trainings) and not self.faults and not self.left_threads


def _taught(run: Run, pool: LocalPool, lesson: Lesson, steps: int) -> Training | Record:
    """The result of a process: the training, or the record of its failure.

    The next implementation gets the same process, unless this one failed or left threads there.
    """
    problem, name, heard = lesson.problem, lesson.entry.name, _Heard()
    task = Tasks(run, lambda _: None).train(problem, name, lesson.task.name, steps)
    own = run.plan.process_of(name)
    process, is_reusable = pool.take(CHECK, run.plan.threads[0], own), False
    try:
        ending = process[1].ask(task, heard.receive)
        is_reusable = ending is None and heard.is_sound
    finally:
        if is_reusable:
            pool.put_back(CHECK, process, own)
        else:
            process[1].end()
    if ending is not None:
        return _fault(lesson, ending)
    if heard.faults:
        return heard.faults[0]
    if heard.trainings:
        return heard.trainings[0]
    return _fault(lesson, Ending("crashed", "no_record", "its session ended without a result"))


def _fault(lesson: Lesson, ending: Ending) -> Record:
    return Record(
        session=CHECK,
        problem=lesson.problem,
        implementation=lesson.entry.name,
        status=ending.status,
        cause=ending.cause,
        reason=ending.reason,
    )
