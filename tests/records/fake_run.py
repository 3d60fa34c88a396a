"""A run whose sessions are fakes, carried out here or in a child that is to be killed.

As a program: for each URL read, a child carries the run out on that store. It tells its process id
before it begins, then every record once it is committed; the program tells how the child ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from suites.engine.run import Conductor

from impls.interface import Limits
from suites.engine.watch import Ending, Watch
from suites.records import record as records
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store, now

NAME: Final = "to-be-killed"
PLAN: Final = Plan(
    suite="fakes",
    problems=tuple(f"b1 h8 t{length} d64 full fp32 cpu" for length in (64, 128, 256, 512)),
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
    """Answers at once, without a process."""

    def ask(self, task: dict[str, Any], receive: Callable[[dict[str, Any]], None]) -> Ending | None:
        if task["task"] == "survey":
            receive({"kind": "facts", "facts": {"ceilings": [], "threads": 2}})
            return None
        for name in task["implementations"]:
            made = answer(task["session"], task["problem"], name)
            receive({"kind": "record", "record": records.to_json(made)})
        return None

    def end(self) -> None:
        pass


class Pool:
    def start(self, session: int, threads: int) -> None:
        pass

    def take(self, session: int, threads: int) -> tuple[Watch, Session]:
        return Watch(60.0, 1 << 30), Session()

    def settle(self) -> None:
        pass

    def drop(self, session: int) -> None:
        pass


class Teller:
    """Tells of every record once it is committed, in one write each."""

    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        tell(key_of(record))


def answer(session: int, problem: str, name: str) -> Record:
    """The same on every day."""
    timed = session != CHECK
    times_ms = (1.0 + session, 2.0) if timed else ()
    return Record(
        session=session, problem=problem, implementation=name, status="ok", times_ms=times_ms
    )


def key_of(record: Record) -> str:
    return f"{record.session}|{record.problem}|{record.implementation}"


def tell(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def carry_out(url: str) -> list[Record]:
    """The run's records, once what the store lacks of them is made."""
    store = Store.open(url)
    if not store.runs():
        store.begin(Run(name=NAME, started=now(), command="fakes", plan=PLAN))
    run = store.run(NAME)
    return Conductor(run=run, store=store, listener=Teller(), processes=Pool()).conduct()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            tell(f"child {os.getpid()}")
            carry_out(line.strip())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        tell(f"ended {status}")


if __name__ == "__main__":
    main()
