"""A store on a real PostgreSQL server, started for these tests with a socket of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from suites.records.copying import copy_run
from suites.records.database import RECORDS
from suites.records.facts import SessionFacts
from suites.records.migrations import migrate
from suites.records.record import CHECK
from suites.records.store import Store, StoreError
from tests.records.made_profile import made
from tests.records.test_store import WRITER, child, go, line, record, run


def programs() -> Path:
    """The folder of the server's programs; without one tests skip, or fail where it is required."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    lacking = "" if found else "no PostgreSQL server is installed"
    if importlib.util.find_spec("psycopg") is None:
        lacking = "psycopg is not installed"
    if lacking and "postgres" in os.environ.get("ATTNBENCH_REQUIRE", ""):
        pytest.fail(f"ATTNBENCH_REQUIRE names postgres: {lacking}")
    if lacking:
        pytest.skip(lacking)
    return found[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The folder of a running server's socket. The server does not run as root: its user does."""
    binaries = programs()
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, data = Path(name), str(Path(name) / "data")
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

        def do(program: str, *words: str) -> None:
            subprocess.run(
                [binaries / program, *words],
                check=True,
                user=user,
                cwd=folder,
                stdout=subprocess.DEVNULL,
            )

        do("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        do("pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start")
        try:
            yield folder
        finally:
            do("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@pytest.fixture
def url(server: Path, request: pytest.FixtureRequest) -> str:
    """A database that is empty."""
    address = f"postgresql+psycopg://postgres@/{{}}?host={server}"
    name = f"bench_{abs(hash(request.node.name))}"
    engine = sa.create_engine(address.format("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return address.format(name)


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """Opens the store, again and again; all of its connections are closed in the end."""
    made: list[Store] = []

    def opened_once_more() -> Store:
        made.append(Store.open(url))
        return made[-1]

    yield opened_once_more
    for store in made:
        store._engine.dispose()


def test_runs_records_and_facts_are_read_back_as_they_were(opened: Callable[[], Store]) -> None:
    store = opened()
    begun = run("first")
    store.begin(begun)
    made = [record(CHECK), record(1), record(1, "a\N{RIGHT-TO-LEFT OVERRIDE}b'\";--"), record(2)]
    store.add("first", *made)
    store.note("first", SessionFacts(session=1, threads=2))
    again = opened()
    assert again.run("first").plan == begun.plan
    assert again.records("first") == made
    assert again.sessions("first") == [SessionFacts(session=1, threads=2)]
    assert again.counts() == {"first": 4}


def test_a_record_is_stored_once_and_records_added_with_a_copy_are_not(
    opened: Callable[[], Store],
) -> None:
    store = opened()
    store.begin(run("first"))
    store.add("first", record(1))
    with pytest.raises(StoreError, match="holds that already"):
        store.add("first", record(2), record(1))
    assert store.records("first") == [record(1)]


def test_two_processes_add_at_the_same_time(opened: Callable[[], Store], url: str) -> None:
    store = opened()
    store.begin(run("first"))
    with child(WRITER, url, "left", "100") as left, child(WRITER, url, "right", "100") as right:
        assert (line(left), line(right)) == ("ready", "ready")
        go(left)
        go(right)
        left.communicate()
        right.communicate()
    assert len({each.key for each in store.records("first")}) == 200


def test_a_saved_name_stands_for_its_run_and_moves(opened: Callable[[], Store]) -> None:
    store = opened()
    for name in ("first", "second"):
        store.begin(run(name))
    assert store.saved() == {}
    assert [store.save("main", name) for name in ("first", "second")] == ["", "first"]
    assert opened().run("main").name == "second"


def test_a_server_that_is_not_there_is_one_line(server: Path) -> None:
    with pytest.raises(StoreError, match=r"^the store postgresql") as caught:
        Store.open(f"postgresql+psycopg://postgres@/bench?host={server}/nowhere")
    assert "\n" not in str(caught.value)


def test_profiles_are_kept_in_their_order_by_both_stores(opened: Callable[[], Store]) -> None:
    store = opened()
    store.begin(run("first"))
    assert store.profiles("first") == []
    profiles = [made(implementation=name) for name in ("b", "a")]
    for each in profiles:
        store.add_profile("first", each)
    assert opened().profiles("first") == profiles
    assert store.profiled_runs() == {"first"}


def test_a_run_is_copied_from_a_file_to_a_server_and_back(
    opened: Callable[[], Store], url: str, tmp_path: Path
) -> None:
    local = Store.open(f"sqlite:///{tmp_path / 'local.db'}")
    local.begin(run("first"))
    local.add("first", record(CHECK), record(1))
    local.note("first", SessionFacts(session=1, environment={"a": "b"}))
    local.add_profile("first", made())
    copy_run("latest", local, url)
    copy_run("first", opened(), f"sqlite:///{tmp_path / 'back.db'}")
    for store in (opened(), Store.open(f"sqlite:///{tmp_path / 'back.db'}")):
        assert store.run("first") == local.run("first")
        assert store.records("first") == local.records("first")
        assert store.profiles("first") == local.profiles("first")


def test_a_store_of_an_earlier_format_is_migrated(opened: Callable[[], Store], url: str) -> None:
    store = opened()
    store.begin(run("first"))
    refused = replace(record(CHECK), status="refused", cause="limits", reason="mask full: takes")
    store.add("first", refused)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        old = json.loads(connection.scalar(sa.select(RECORDS.c.data)) or "")
        del old["cause"]
        connection.execute(sa.update(RECORDS).values(data=json.dumps(old)))
        connection.execute(sa.text("UPDATE attnbench_format SET format = 2"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"has format 2, of attnbench 0\.1\.0; python run_bench"):
        Store.open(url)
    assert migrate(url).before == 2
    assert opened().records("first") == [refused]
