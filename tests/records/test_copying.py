"""A run copied to another store is the same run there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from suites.records import copying
from suites.records.copying import copy_run
from suites.records.facts import SessionFacts
from suites.records.store import Store, StoreError
from tests.records.made_profile import made
from tests.records.test_store import record, run


def address(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.db"


@pytest.fixture
def source(tmp_path: Path) -> Store:
    """Two runs; the second one has records, facts, a profile and a saved name."""
    store = Store.open(address(tmp_path, "source"))
    for name in ("first", "second"):
        store.begin(run(name))
        store.add(name, *(record(session) for session in range(1, 4)))
    store.note("second", SessionFacts(session=2, environment={"OMP_NUM_THREADS": "2"}))
    store.add_profile("second", made())
    store.save("main", "second")
    store.end("second")
    return store


def test_a_run_is_the_same_in_the_other_store(
    source: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "AT_ONCE", 2)
    url = address(tmp_path, "target")
    Store.open(url).begin(run("other"))  # so that ids differ
    copied = copy_run("main", source, url)
    assert (copied.run, copied.records, copied.profiles, copied.ended) == ("second", 3, 1, True)
    target = Store.open(url)
    for store in (source, target):
        assert len(store.records("second")) == 3
    assert target.records("second") == source.records("second")
    assert target.profiles("second") == source.profiles("second")
    assert target.sessions("second") == source.sessions("second") != []
    assert target.run("second") == source.run("second")
    assert target.counts() == {"other": 0, "second": 3}
    assert target.saved() == {}


def test_a_run_that_has_not_ended_is_said_to_be_one(source: Store, tmp_path: Path) -> None:
    copied = copy_run("first", source, address(tmp_path, "target"))
    assert (copied.ended, copied.profiles) == (False, 0)


def test_a_second_copy_is_refused_and_changes_nothing(source: Store, tmp_path: Path) -> None:
    url = address(tmp_path, "target")
    copy_run("second", source, url)
    with pytest.raises(StoreError, match=r"target\.db holds a run 'second' already; nothing was"):
        copy_run("latest", source, url)
    with pytest.raises(StoreError, match=r"source\.db holds a run 'first' already"):
        copy_run("first", source, source.url)
    assert Store.open(url).counts() == {"second": 3}


def test_a_run_that_is_not_there_makes_no_store(source: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run 'third'"):
        copy_run("third", source, address(tmp_path, "target"))
    assert not (tmp_path / "target.db").exists()


def test_a_copy_that_fails_leaves_nothing_of_the_run(
    source: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("suites.records.stored_profiles.copy", fails)
    url = address(tmp_path, "target")
    with pytest.raises(KeyboardInterrupt):
        copy_run("second", source, url)
    assert Store.open(url).runs() == []


def test_rows_that_this_version_cannot_read_are_copied_as_they_are(
    source: Store, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "source.db")) as connection:
        connection.execute("update records set problem = 'b1 of another version' where id = 4")
        connection.commit()
    copy_run("second", source, address(tmp_path, "target"))
    target = Store.open(address(tmp_path, "target"))
    assert target.counts() == {"second": 3}
    assert target.run("second").unread == source.run("second").unread != ()
    assert replace(target.run("second"), unread=()).plan == source.run("first").plan
