"""Stores of every earlier format become stores of this one, with all that they held."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext

from suites.records.database import FORMAT, FORMATS, StoreError
from suites.records.migrations import migrate
from suites.records.migrations.versions.format_3 import CAUSES
from suites.records.record import CAUSES as KNOWN
from suites.records.store import Store

STORES = Path(__file__).parent / "stores"
"""Stores as version 0.1.0 wrote them, as SQL; long lists of samples are cut."""
EARLIER = [1, 2]
REASONS = [
    ("wrong", "wrote to q, which is read-only", "wrote_read_only"),
    ("wrong", "right in the check, wrong when timed: out errs", "wrong_when_timed"),
    ("wrong", "out errs by 3.1e-2", "wrong_output"),
    ("failed", "changed torch's threads from 1 to 7", "process_state"),
    ("failed", "ValueError: x", "exception"),
    ("out_of_memory", "foreseen: would add about 9.0 GiB by its growth so far", "foreseen_memory"),
    ("out_of_memory", "added 9.0 GiB; the limit is 8.0 GiB (--memory-limit)", "memory_limit"),
    ("out_of_memory", "CUDA out of memory", "device_memory"),
    ("timed_out", "not reached in 60 s (--budget)", "budget"),
    ("timed_out", "foreseen: would take about 90 s", "foreseen_time"),
    ("timed_out", "the session itself was silent for 60 s", "silent_session"),
    ("timed_out", "a call took longer than 60 s", "time_limit"),
    ("crashed", "wrote over the engine's own pipe: x", "pipe_overwritten"),
    ("crashed", "its session gave no record of it", "no_record"),
    ("crashed", "ended with signal 11", "process_died"),
    ("missing", "no module named x", "not_importable"),
]


def stored(folder: Path, number: int) -> str:
    """The URL of a store of this format."""
    file = folder / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((STORES / f"format_{number}.sql").read_text())
    return f"sqlite:///{file}"


@pytest.mark.parametrize("number", EARLIER)
def test_an_earlier_store_is_refused_with_the_command_that_migrates_it(
    number: int, tmp_path: Path
) -> None:
    url = stored(tmp_path, number)
    message = rf"has format {number}, of attnbench 0.1.0; python run_bench.py migrate --store sqlit"
    with pytest.raises(StoreError, match=message):
        Store.open(url)


@pytest.mark.parametrize("number", EARLIER)
def test_all_records_are_there_after_a_migration(number: int, tmp_path: Path) -> None:
    url = stored(tmp_path, number)
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        rows = connection.execute("select status, data from records order by id").fetchall()
    assert (migrate(url).before, migrate(url).before) == (number, FORMAT)
    store = Store.open(url, create=False)
    (run,) = store.runs()
    found = store.records(run.name)
    assert (run.fault, store.run().unread) == ("", ())
    assert [each.status for each in found] == [status for status, _ in rows]
    assert {"refused", "ok"} == {each.status for each in found}
    assert {each.cause for each in found} == {"limits", ""}
    assert [list(each.times_ms) for each in found] == [json.loads(d)["times_ms"] for _, d in rows]
    assert len(store.sessions(run.name)) == (0 if number == 1 else 2)


@pytest.mark.parametrize("status", [s for s in KNOWN if s != "ok"])
def test_every_cause_of_a_status_is_one_of_its_causes(status: str) -> None:
    assert {cause for _, cause in CAUSES[status]} <= {*KNOWN[status]}  # type: ignore[index] # a Status
    assert CAUSES[status][-1][0] == ""  # every reason has a cause


def test_causes_follow_from_the_words_of_reasons(tmp_path: Path) -> None:
    url = stored(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        ((row, data),) = connection.execute("select id, data from records where status = 'refused'")
        for session, (status, reason, _) in enumerate(REASONS, start=50):
            old = json.loads(data) | {"session": session, "status": status, "reason": reason}
            connection.execute(
                "insert into records select null, run, ?, problem, implementation, ?, ? "
                "from records where id = ?",
                (session, status, json.dumps(old), row),
            )
        connection.execute(
            "insert into records select null, run, 99, problem, implementation, 'failed', '{' "
            "from records where id = ?",
            (row,),
        )
        connection.commit()
    migrate(url)
    found = {r.session: r for r in Store.open(url).records(Store.open(url).runs()[0].name)}
    assert [found[50 + n].cause for n in range(len(REASONS))] == [cause for _, _, cause in REASONS]
    assert found[99].cause == "unreadable_record"


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = stored(tmp_path, 1)
    before = [*sqlite3.connect(tmp_path / "old.db").iterdump()]

    def fails(*_: object) -> None:
        raise sa.exc.OperationalError("x", None, ValueError("disk is full"))

    monkeypatch.setattr(FORMATS, "delete", fails)
    with pytest.raises(StoreError, match=r"cannot be migrated: disk is full; make room on the d"):
        migrate(url)
    assert [*sqlite3.connect(tmp_path / "old.db").iterdump()] == before


@pytest.mark.parametrize("number", EARLIER)
def test_a_migrated_store_has_the_tables_of_a_new_one(number: int, tmp_path: Path) -> None:
    migrate(url := stored(tmp_path, number))
    new = f"sqlite:///{tmp_path / 'new.db'}"
    Store.open(new)
    old, made = (columns(each) for each in (url, new))
    del old["alembic_version"]
    assert old == made


def columns(url: str) -> dict[str, set[tuple[str, str, bool]]]:
    inspector = sa.inspect(engine := sa.create_engine(url))
    found = {
        table: {(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)}
        for table in inspector.get_table_names()
    }
    engine.dispose()
    return found


def test_the_newest_migration_makes_the_format_of_this_version(tmp_path: Path) -> None:
    migrate(url := stored(tmp_path, 1))
    with sa.create_engine(url).connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == str(FORMAT)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("", "no store at"),
        ("create table x (y)", r"holds another program's tables \('x'\)"),
        (
            "create table attnbench_format as select 99 as format",
            "is of format 99, this version reads 3; update attnbench",
        ),
    ],
)
def test_what_cannot_be_migrated_is_one_line(made: str, message: str, tmp_path: Path) -> None:
    if made:
        with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            connection.executescript(made)
    with pytest.raises(StoreError, match=message):
        migrate(f"sqlite:///{tmp_path / 'x.db'}")
