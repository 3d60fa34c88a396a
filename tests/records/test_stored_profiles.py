"""Profiles in a store, beside runs of this and of earlier versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from suites.records.store import Store, StoreError
from tests.records.made_profile import made
from tests.records.test_store import run


def opened(file: Path) -> Store:
    store = Store.open(f"sqlite:///{file}")
    if "first" not in {each.name for each in store.runs()}:
        store.begin(run("first"))
    return store


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("select name from sqlite_master where type = 'table'")
        return {name for (name,) in found}


def test_profiles_come_back_in_the_order_they_were_stored(tmp_path: Path) -> None:
    profiles = [made(implementation=name) for name in ("b", "a", "c")]
    store = opened(tmp_path / "x.db")
    for each in profiles:
        store.add_profile("first", each)
    again = Store.open(f"sqlite:///{tmp_path / 'x.db'}")
    assert again.profiles("first") == profiles
    assert again.profiled_runs() == {"first"}
    assert again.profiles("second") == []


def test_a_store_of_an_earlier_version_has_no_profiles_and_is_not_changed_by_reading(
    tmp_path: Path,
) -> None:
    store = opened(tmp_path / "x.db")
    assert store.profiles("first") == []
    assert store.profiled_runs() == set()
    assert "profiles" not in tables(tmp_path / "x.db")


def test_the_first_profile_makes_its_table_in_a_store_of_an_earlier_version(
    tmp_path: Path,
) -> None:
    before = opened(tmp_path / "x.db").run("first")
    store = Store.open(f"sqlite:///{tmp_path / 'x.db'}")
    store.add_profile("first", made())
    assert "profiles" in tables(tmp_path / "x.db")
    assert store.run("first") == before


def test_a_second_profile_of_the_same_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "x.db")
    store.add_profile("first", made())
    with pytest.raises(StoreError):
        store.add_profile("first", made())
    assert store.profiles("first") == [made()]


def test_a_stored_profile_that_is_damaged_is_refused_in_words(tmp_path: Path) -> None:
    store = opened(tmp_path / "x.db")
    store.add_profile("first", made())
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("update profiles set data = '{}'")
        connection.commit()
    with pytest.raises((StoreError, ValueError), match="implementation"):
        store.profiles("first")
