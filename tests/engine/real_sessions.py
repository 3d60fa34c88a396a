"""A run of a file's implementations in real processes, for tests of what they do to a session."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from impls.interface import Problem
from suites.conducting import pool_of
from suites.engine import dispatch
from suites.engine.catalogue import open_catalogue
from suites.engine.conductor import Conductor
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run, Store, now
from suites.request import processes
from tests.engine import forked_sessions
from tests.stand_in import machine

FOLDER = Path(__file__).with_name("hostile")
PROBLEM = "b1 h4 t64 d16 full fp32 cpu"
MARK = f"ATTNBENCH_TEST_{os.getpid()}"
"""An environment variable that only processes of these runs have."""
Records = dict[str, list[Record]]
"""By implementation: the records of the check, then those of the timed session."""


class Silent:
    """A listener that ignores all events."""

    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


def records_of(  # noqa: PLR0913 - each is a setting of the run
    file: str,
    time_limit_s: float = 60.0,
    prepare_limit_s: float = 300.0,
    threads: int = 1,
    *,
    problems: tuple[str, ...] = (PROBLEM,),
    keep_compiled: bool = False,
    seed: int = 1,
    device: dict[str, Any] | None = None,
) -> Records:
    """The records of one run of all implementations in a file of `hostile`.

    problems  where one is on "cuda", the sessions have the stand-in for an NVIDIA device
    device    settings of the stand-in
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, "1")
        if any("cuda" in problem for problem in problems):
            for name, value in machine.environment(**device or {}).items():
                patch.setenv(name, value)
        patch.setattr(dispatch, "WATCHED_S", 0.5)  # the threads of these files act within 1 ms
        here, entries = open_catalogue([str(FOLDER / file)], threads=threads)
        plan = Plan(
            suite="hostile",
            problems=tuple(map(Problem.parse, problems)),
            entries=processes.assigned(entries, ()),
            sessions=1,
            seed=seed,
            round_budget_ms=10,
            time_limit_s=time_limit_s,
            memory_limit=1 << 28,
            prepare_limit_s=prepare_limit_s,
            threads=(threads,),
            keep_compiled=keep_compiled,
        )
        store = Store.open("sqlite://")
        run = Run(name="r", started=now(), command="c", plan=plan, machine=here)
        store.begin(run)
        with pool_of(plan) as pool:
            found = Conductor(run=run, store=store, listener=Silent(), pool=pool).conduct()
    return {e.name: [r for r in found if r.implementation == e.name] for e in entries}


def assert_settled(records: list[Record], status: str, words: str) -> None:
    """The last record has this status and these words in its reason, and no record has times."""
    last = records[-1]
    assert last.status == status, last.reason
    assert words in last.reason, last.reason  # torch's own message may precede them
    assert len(last.reason) < 500
    assert last.reason.isprintable()
    assert not any(record.times_ms for record in records)


def assert_measured(records: list[Record]) -> None:
    """The check and the timed session are ok."""
    assert [record.status for record in records] == ["ok", "ok"]
    assert records[1].times_ms
    assert records[1].threads == 1


def assert_equal_neighbours(records: Records) -> None:
    """Two copies of one function, first and last in the file, agree to the bit."""
    (first, timed), (last, timed_last) = records["honest_first"], records["honest_last"]
    assert first.agreement is not None
    assert first.agreement == last.agreement, (first, last)
    assert first.peak_bytes == last.peak_bytes, (first, last)
    both = (timed, timed_last)
    assert timed.conditions == timed_last.conditions, both  # both took part in the same rounds
    assert len(timed.times_ms) == len(timed_last.times_ms), both


def surviving_processes() -> list[int]:
    """Processes of these runs that still exist, wherever they are in the process tree."""
    servers = forked_sessions.SERVERS.pids()
    found = (each for each in psutil.process_iter() if each.pid not in servers)
    return [each.pid for each in found if MARK in _variables(each)]


def _variables(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}  # it has ended, or belongs to another user
