"""A run that is killed at any moment keeps every record it had committed, and can be finished."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from suites.records.store import Store
from tests.records import fake_run
from tests.records.fake_run import NAME, PLAN, carry_out, key_of

ROOT = Path(__file__).parents[2]
KILLS = 100
WHOLE = 256


class Victims:
    """A program that carries out a run in one child after another; each child is killed."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, fake_run.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def killed(self, url: str, after: int, spins: int) -> tuple[list[str], bool]:
        """The lines that a child printed before it ended, and whether it was killed.

        after  records that it prints before it is killed
        spins  turns of an empty loop between that and the signal
        """
        assert self._program.stdin is not None
        self._program.stdin.write(f"{url}\n")
        self._program.stdin.flush()
        child = int(self._line().removeprefix("child "))
        printed: list[str] = []
        while len(printed) < after and not (printed and printed[-1].startswith("ended")):
            printed.append(self._line())
        for _ in range(spins):
            pass
        with suppress(ProcessLookupError):  # it may just have ended by itself
            os.kill(child, signal.SIGKILL)
        while not (printed and printed[-1].startswith("ended")):
            printed.append(self._line())
        status = int(printed.pop().removeprefix("ended "))
        assert status in (0, signal.SIGKILL)
        return printed, status == signal.SIGKILL

    def end(self) -> None:
        self._program.communicate()
        assert self._program.returncode == 0

    def _line(self) -> str:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        assert line, "the program ended"
        return line.strip()


@pytest.fixture
def victims() -> Iterator[Victims]:
    made = Victims()
    yield made
    made.end()


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def stored(path: Path) -> list[str]:
    """The keys of the records in a store; none before it is made."""
    store = Store.open(f"sqlite:///{path}", create=False)
    return [key_of(record) for record in store.records(NAME)] if store.runs() else []


def test_a_run_killed_at_a_hundred_instants_loses_and_repeats_nothing(
    tmp_path: Path, victims: Victims
) -> None:
    random = Random(11)
    kills = finished = place = 0
    while kills < KILLS:
        path = tmp_path / f"{place}.db"
        found: list[str] = []
        ended = False
        while not ended and kills < KILLS:
            before = found
            after = random.choice([0, 0, 1, random.randint(2, 40)])
            spins = random.randrange(10 ** random.randint(2, 6))
            said, killed = victims.killed(f"sqlite:///{path}", after, spins)
            kills += killed
            ended = not killed
            if not path.exists():
                assert said == []
                continue
            assert integrity(path) == "ok"
            found = stored(path)
            assert len(set(found)) == len(found)  # no record is there twice
            assert found[: len(before)] == before  # nothing is lost
            assert set(said) <= set(found)  # every printed record is there
            new = len(found) - len(before) - len(said)
            assert 0 <= new <= 4  # one commit may not be printed yet: a record, or the settled ones
        finished += ended
        place += 1
    assert kills == KILLS
    assert finished


def test_a_killed_run_is_finished_with_every_record_once(tmp_path: Path, victims: Victims) -> None:
    path = tmp_path / "bench.db"
    while not path.exists() or not stored(path):
        victims.killed(f"sqlite:///{path}", 20, 1000)
    left = stored(path)
    made = [key_of(record) for record in carry_out(f"sqlite:///{path}")]
    assert made[: len(left)] == left
    planned = Counter(
        f"{session}|{problem}|{entry.name}"
        for session in (0, *PLAN.session_numbers)
        for problem in PLAN.problems
        for entry in PLAN.entries
        if session == 0 or not entry.missing
    )
    assert len(made) == WHOLE
    assert Counter(made) == planned
    assert stored(path) == made
    assert Store.open(f"sqlite:///{path}").run(NAME).ended is not None
    assert integrity(path) == "ok"
