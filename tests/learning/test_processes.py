"""Processes of trainings: one that failed is ended, others are used again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from suites import training
from suites.engine.local_pool import LocalPool
from suites.engine.messages import LeftThreads, Made, Message, Trained
from suites.engine.watch import Ending
from suites.learning.tasks import DIGITS
from suites.records.learning import Training
from suites.records.record import CHECK, Record
from tests.reports.learnt import learnt

FOUND = learnt()
PROBLEM = FOUND.run.plan.problems[0]
GOOD = next(entry for entry in FOUND.run.plan.entries if entry.name == "good")
LESSON = training.Lesson(DIGITS, PROBLEM, GOOD)
DONE = Trained(training=FOUND.trainings[0])
FAILED = Made(
    record=Record(
        session=CHECK,
        problem=PROBLEM,
        implementation="good",
        status="failed",
        cause="exception",
        reason="no",
    )
)
HANGS = Ending("timed_out", "time_limit", "its calls took longer than 600 s")


@dataclass
class Session:
    """A process that answers a task with these messages, and then ends where it has an ending."""

    messages: Sequence[Message]
    ending: Ending | None = None
    is_ended: bool = False

    def ask(self, _: Any, receive: Callable[[Message], None]) -> Ending | None:
        for message in self.messages:
            receive(message)
        return self.ending

    def end(self) -> None:
        self.is_ended = True


@dataclass
class Pool:
    """Gives out one process."""

    session: Session
    kept: list[object] = field(default_factory=list)

    def take(self, *_: Any) -> tuple[None, Session]:
        return None, self.session

    def put_back(self, _: int, process: tuple[None, Session], __: str) -> None:
        self.kept.append(process[1])


def taught(*messages: Message, ending: Ending | None = None) -> tuple[Training | Record, Pool]:
    pool = Pool(Session(messages, ending))
    return training._taught(FOUND.run, cast("LocalPool", pool), LESSON, 10), pool


def test_a_process_without_a_fault_trains_the_next_model() -> None:
    found, pool = taught(DONE)
    assert found == DONE.training
    assert (pool.kept, pool.session.is_ended) == ([pool.session], False)


@pytest.mark.parametrize(
    ("messages", "ending", "status", "reason"),
    [
        ((), HANGS, "timed_out", HANGS.reason),
        ((DONE,), HANGS, "timed_out", HANGS.reason),
        ((FAILED,), None, "failed", "no"),
        ((DONE, FAILED), None, "failed", "no"),
        ((), None, "crashed", "its session ended without a result"),
    ],
)
def test_a_fault_is_a_record_with_its_reason_and_ends_its_process(
    messages: tuple[Message, ...], ending: Ending | None, status: str, reason: str
) -> None:
    found, pool = taught(*messages, ending=ending)
    assert isinstance(found, Record)
    assert (found.status, found.reason, found.implementation) == (status, reason, "good")
    assert (pool.kept, pool.session.is_ended) == ([], True)


def test_a_process_in_which_threads_are_left_trains_no_other_model() -> None:
    found, pool = taught(LeftThreads(implementation="good"), DONE)
    assert found == DONE.training
    assert (pool.kept, pool.session.is_ended) == ([], True)


def test_recall_is_learnt_with_the_named_implementation_that_accepts_its_mask() -> None:
    plan = FOUND.run.plan
    narrow = replace(GOOD, limits=(replace(GOOD.limits[0], masks=("window",)),))
    entries = tuple(narrow if entry.name == "good" else entry for entry in plan.entries)
    lessons = training._lessons(replace(plan, entries=entries), ["good"])
    names = {str(e.problem.mask): e.entry.name for e in lessons if e.task.name == "recall"}
    assert names == {"full": "sdpa_math", "window:16": "good", "window:8": "good"}


def test_judged_tasks_are_learnt_with_every_implementation() -> None:
    plan = FOUND.run.plan
    lessons = [each for each in training._lessons(plan, []) if each.task.name == "digits"]
    assert [each.entry.name for each in lessons] == [entry.name for entry in plan.entries]
