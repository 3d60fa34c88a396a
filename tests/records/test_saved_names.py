"""Saved names of runs: they stand for a run, move to another one, and never hide a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest

from suites.records.store import Store, StoreError
from tests.records.test_store import run


class Fixed(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bench.db"


@pytest.fixture
def store(path: Path) -> Store:
    """A store with two runs and no saved name."""
    opened = Store.open(f"sqlite:///{path}")
    opened.begin(run("first"))
    opened.begin(run("second"))
    return opened


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_a_saved_name_stands_for_its_run(store: Store, path: Path) -> None:
    assert store.save("main", "first") == ""
    again = Store.open(f"sqlite:///{path}", create=False)
    assert (again.run("main").name, again.run("latest").name) == ("first", "second")
    assert again.saved() == {"main": "first"}


def test_a_name_given_again_stands_for_the_newer_run_and_returns_the_older(store: Store) -> None:
    store.save("main", "first")
    assert store.save("main", "second") == "first"
    assert store.run("main").name == "second"
    assert store.saved() == {"main": "second"}


def test_a_run_may_have_several_names(store: Store) -> None:
    store.save("main", "first")
    store.save("v1.2", "first")
    assert store.saved() == {"main": "first", "v1.2": "first"}


def test_a_store_without_the_table_is_read_and_not_changed(store: Store, path: Path) -> None:
    """A store of an earlier version has none."""
    assert "saved_names" not in tables(path)
    before = path.read_bytes()
    assert store.saved() == {}
    assert store.run("second").name == "second"
    assert path.read_bytes() == before
    store.save("main", "first")
    assert "saved_names" in tables(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("latest", "^--save latest: 'latest' means the newest runs; name it otherwise$"),
        ("latest~1", "^--save latest~1: 'latest~1' means the newest runs; name it otherwise$"),
        ("second", "^--save second: a stored run has this name; name it otherwise$"),
        ("../main", r"^--save: its name, '../main', cannot be a folder's; expected letters"),
        ("ma in", r"^--save: its name, 'ma in', cannot be a folder's; expected letters"),
    ],
)
def test_a_name_that_means_something_else_is_refused(store: Store, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        store.expect_saveable(name)
    with pytest.raises(ValueError, match=said):
        store.save(name, "first")
    assert store.saved() == {}


def test_a_new_run_is_not_called_as_a_saved_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suites.records.store.datetime", Fixed)
    wanted = store.unused_name("quick")
    store.save(wanted, "first")
    assert store.unused_name("quick") == f"{wanted}-2"


def test_an_unknown_name_is_refused_with_the_newest_run(store: Store) -> None:
    store.save("main", "first")
    with pytest.raises(StoreError, match=r"^no run 'mian' in .*; the newest is 'second'"):
        store.run("mian")
