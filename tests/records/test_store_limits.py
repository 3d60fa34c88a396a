"""A store that cannot be written: a full disk, a read-only folder or file, another writer.

Committed records stay, a failed commit is one line with advice, and the run goes on later.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from suites.records import database
from suites.records.record import Record
from suites.records.store import Run, Store, StoreError
from tests.records.fake_run import NAME, PLAN, answer, carry_out

ROOT = Path(__file__).parents[2]
NOBODY = 65534
PROBLEM = PLAN.problems[0]
WRITER = """
import sys
from tests.records.fake_run import PLAN, answer
from suites.records.facts import SessionFacts
from suites.records.store import Run, Store

url, name = sys.argv[1:]
store = Store.open(url)
store.begin(Run(name=name, started="now", command=name, plan=PLAN))
print("ready", flush=True)
sys.stdin.readline()
for session in range(1, 121):
    store.note(name, SessionFacts(session=session, threads=session))
    store.add(name, *(answer(session, problem, name) for problem in PLAN.problems[:2]))
store.end(name)
"""


def record(session: int) -> Record:
    return answer(session, PROBLEM, "one_0")


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def filled(store: Store) -> tuple[int, str]:
    """The number of records added until one failed, and the message of that error."""
    for session in range(1, 5000):
        try:
            store.add(NAME, record(session))
        except StoreError as error:
            return session - 1, str(error)
    pytest.fail("the store never filled up")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.db"


@pytest.fixture
def store(path: Path) -> Store:
    opened = Store.open(f"sqlite:///{path}")
    opened.begin(Run(name=NAME, started="now", command="c", plan=PLAN))
    return opened


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Stands for a full disk: the system refuses to let a file grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as a user who owns no file here: permissions do not apply to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that a user without privileges reaches; below, nothing may be written."""
    with tempfile.TemporaryDirectory(prefix="attnbench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for each in folder.rglob("*"):
            each.chmod(0o755)


def test_records_committed_before_the_disk_was_full_stay_and_the_others_follow(
    store: Store, path: Path
) -> None:
    with no_file_larger_than(path.stat().st_size + 12 * 4096):
        added, said = filled(store)
        again = Store.open(f"sqlite:///{path}")
        assert again.records(NAME) == [record(n) for n in range(1, added + 1)]
    assert added > 10
    assert said.startswith(f"the store sqlite:///{path} cannot be written: ")
    assert "on the disk; a run that was stopped goes on with --resume" in said or "disk?" in said
    assert "\n" not in said
    assert integrity(path) == "ok"
    store.add(NAME, record(added + 1))
    assert store.records(NAME) == [record(n) for n in range(1, added + 2)]


def test_a_database_at_its_size_limit_is_reported_as_full(store: Store, path: Path) -> None:
    @sa.event.listens_for(store._engine, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 30")

    store._engine.dispose()
    added, said = filled(store)
    assert said == (
        f"the store sqlite:///{path} cannot be written: database or disk is full; "
        "make room on the disk; a run that was stopped goes on with --resume"
    )
    assert Store.open(f"sqlite:///{path}").records(NAME) == [record(n) for n in range(1, added + 1)]


def test_a_run_stopped_by_a_full_disk_is_finished_when_there_is_room(path: Path) -> None:
    Store.open(f"sqlite:///{path}")
    with (
        no_file_larger_than(path.stat().st_size + 16 * 4096),
        pytest.raises(StoreError, match="cannot be written"),
    ):
        carry_out(f"sqlite:///{path}")
    left = Store.open(f"sqlite:///{path}").records(NAME)
    assert left
    made = carry_out(f"sqlite:///{path}")
    assert made[: len(left)] == left
    assert len({each.key for each in made}) == len(made) == 256


def test_a_store_in_a_folder_that_is_read_only_can_be_read(reachable: Path) -> None:
    path = reachable / "bench.db"
    store = Store.open(f"sqlite:///{path}")
    store.begin(Run(name=NAME, started="now", command="c", plan=PLAN))
    store.add(NAME, record(1))
    path.chmod(0o444)
    reachable.chmod(0o555)
    before = path.read_bytes()
    with as_nobody():
        reader = Store.open(f"sqlite:///{path}")
        assert reader.records(reader.run().name) == [record(1)]
        with pytest.raises(
            StoreError, match=r"cannot be written: attempt to write a readonly.*is read-only; name"
        ):
            reader.add(NAME, record(2))
    assert path.read_bytes() == before
    assert sorted(reachable.iterdir()) == [path]


def test_no_store_is_made_in_a_read_only_folder(reachable: Path) -> None:
    reachable.chmod(0o555)
    with as_nobody():
        with pytest.raises(
            StoreError, match="cannot be opened: unable to open database file; can the file and"
        ):
            Store.open(f"sqlite:///{reachable}/bench.db")
        with pytest.raises(StoreError, match=r"the folder .* of the store cannot be made: Permis"):
            Store.open(f"sqlite:///{reachable}/below/bench.db")
    assert list(reachable.iterdir()) == []


def test_a_store_without_read_permission_is_an_error_in_one_line(reachable: Path) -> None:
    path = reachable / "bench.db"
    Store.open(f"sqlite:///{path}")
    path.chmod(0)
    with as_nobody(), pytest.raises(StoreError, match="cannot be opened: unable to open") as said:
        Store.open(f"sqlite:///{path}", create=False)
    assert "\n" not in str(said.value)


def test_two_runs_are_written_to_one_store_at_the_same_time(path: Path) -> None:
    url, names = f"sqlite:///{path}", ("left", "right")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in names
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 2
    store = Store.open(url)
    for name in names:
        assert store.records(name) == [
            answer(session, problem, name)
            for session in range(1, 121)
            for problem in PLAN.problems[:2]
        ]
        assert [each.threads for each in store.run(name).facts] == list(range(1, 121))
    assert integrity(path) == "ok"


def test_a_writer_waits_for_another_one(store: Store) -> None:
    with store._engine.connect() as connection:
        waits_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert waits_ms == database.PATIENCE_S * 1000 == 60_000


def test_a_store_that_another_program_keeps_locked_is_named(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_S", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        impatient = Store.open(f"sqlite:///{path}")
        with pytest.raises(
            StoreError, match="cannot be written: database is locked; another program keeps it"
        ):
            impatient.add(NAME, record(1))
        other.execute("COMMIT")
    impatient.add(NAME, record(1))
    assert store.records(NAME) == [record(1)]
