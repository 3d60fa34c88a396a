"""A run whose sessions are fakes, carried out here or in a child that is to be killed.

As a program: for each URL read, a child carries the run out on that store. The child prints its
process id first, then every record once it is committed; the program prints how the child ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from impls.interface import Limits, Problem
from suites.engine.conductor import Conductor
from suites.engine.messages import Made, Message, Surveyed
from suites.engine.pools import DONE, Progress, Receive
from suites.engine.protocol import Check, Measure, Survey, Task
from suites.engine.watch import Ending, Watch
from suites.records.facts import SessionFacts
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store, now

NAME: Final = "to-be-killed"
PLAN: Final = Plan(
    suite="fakes",
    problems=tuple(Problem.parse(f"t{length}") for length in (64, 128, 256, 512)),
    entries=(
        *(Entry(name=f"one_{place}", limits=(Limits(),)) for place in range(7)),
        Entry(name="gone", missing="not installed"),
    ),
    sessions=8,
    seed=5,
    round_budget_ms=100.0,
    time_limit_s=60.0,
    memory_limit=1 << 30,
    threads=(2,),
)
"""256 records: 4 of what is missing, 28 of the check, and 28 of each of 8 sessions."""


class Session:
    """Does tasks at once, without a process."""

    def ask(self, task: Task, receive: Callable[[Message], None]) -> Ending | None:
        if isinstance(task, Survey):
            receive(Surveyed(facts=SessionFacts(session=task.session, threads=2)))
        elif isinstance(task, Check | Measure):
            for name in task.implementations:
                receive(Made(record=answer(task.session, task.problem, name)))
        return None

    def give(self, task: Task) -> None:
        self._given = task

    def listen(self, receive: Receive, within_s: float = 0.1) -> Progress:
        return self.ask(self._given, receive) or DONE

    def end(self) -> None:
        pass


class Pool:
    def start(self, session: int, threads: int, process: str = "") -> None:
        pass

    def take(self, session: int, threads: int, process: str = "") -> tuple[Watch, Session]:
        return Watch(60.0, 1 << 30), Session()

    def meeting(self) -> str:
        return ""

    def settle(self) -> None:
        pass

    def drop(self, session: int) -> None:
        pass


class Printer:
    """Prints every record once it is committed, in one write each."""

    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        print_line(key_of(record))


def answer(session: int, problem: Problem, name: str) -> Record:
    """The record of a fake session: the same in every run."""
    timed = session != CHECK
    times_ms = (1.0 + session, 2.0) if timed else ()
    return Record(
        session=session, problem=problem, implementation=name, status="ok", times_ms=times_ms
    )


def key_of(record: Record) -> str:
    return f"{record.session}|{record.problem}|{record.implementation}"


def print_line(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def carry_out(url: str) -> list[Record]:
    """The run's records, once what the store lacks of them is made."""
    store = Store.open(url)
    if not store.runs():
        store.begin(Run(name=NAME, started=now(), command="fakes", plan=PLAN))
    run = store.run(NAME)
    return Conductor(run=run, store=store, listener=Printer(), pool=Pool()).conduct()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print_line(f"child {os.getpid()}")
            carry_out(line.strip())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print_line(f"ended {status}")


if __name__ == "__main__":
    main()
