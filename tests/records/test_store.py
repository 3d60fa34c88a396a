"""The store: a committed record stays, whatever happens to the process or to the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from impls.interface import Limits, Problem
from suites.records.database import WRITTEN_BY
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Agreement, Record, TensorError
from suites.records.store import FORMAT, Run, Store, StoreError, now

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).parents[2]
SHORT, LONG = Problem.parse("t8"), Problem.parse("t16")
PLAN = Plan(
    suite="quick",
    problems=(SHORT, LONG),
    entries=(Entry(name="naive", limits=(Limits(head_dims=range(8, 257, 8)),)),),
    sessions=2,
    seed=3,
    round_budget_ms=100.0,
    time_limit_s=60.0,
    memory_limit=2**40,
    threads=(2,),
    capability=(9, 0),
)
MACHINE: dict[str, Any] = {"cpu": "some CPU", "cores": 2, "versions": {"torch": None}}
WRITER = """
import sys
from itertools import count, islice
from impls.interface import Problem
from suites.records.record import Record
from suites.records.store import Store

url, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store.open(url)
print("ready", flush=True)
sys.stdin.readline()
for session in islice(count(1), number or None):
    problem = Problem.parse("t8")
    store.add("first", Record(
        session=session, problem=problem, implementation=name, status="ok", times_ms=(1.0,)
    ))
    print(session, flush=True)
"""
KILLED_WHILE_MAKING = """
import os, sys
import sqlalchemy as sa
from suites.records.store import Store

tables = 0

@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def die(connection, cursor, statement, *others):
    global tables
    tables += "CREATE TABLE" in statement
    if tables == 2:
        os._exit(9)

Store.open(sys.argv[1])
"""


def run(name: str) -> Run:
    return Run(
        name=name, started=now(), command="run_bench.py run quick", plan=PLAN, machine=MACHINE
    )


def record(session: int, implementation: str = "naive", problem: Problem = SHORT) -> Record:
    return Record(
        session=session,
        problem=problem,
        implementation=implementation,
        status="ok",
        times_ms=() if session == CHECK else (1.0, 2.5),
    )


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "bench.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Store:
    """A store with one run that has no record yet."""
    opened = Store.open(url)
    opened.begin(run("first"))
    return opened


def refused(path: Path, *, create: bool = True) -> str:
    """The message of the error that opening a file raises; file and folder stay as they were."""
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    with pytest.raises(StoreError) as caught:
        Store.open(f"sqlite:///{path}", create=create).records("first")
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == beside
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_run_is_read_back_as_it_was_written(store: Store, url: str) -> None:
    (read,) = Store.open(url).runs()
    assert (read.name, read.command, read.plan, read.machine) == (
        "first",
        "run_bench.py run quick",
        PLAN,
        MACHINE,
    )
    assert read.ended is None
    assert store.run("first") == read


def test_records_are_read_back_in_the_order_they_were_made(store: Store, url: str) -> None:
    error = TensorError(
        tensor="out", rms_share=0.1, worst_share=1 / 3, relative_rms=1e-300, max_error=0.0
    )
    made = [
        Record(
            session=CHECK,
            problem=SHORT,
            implementation="naive",
            status="wrong",
            cause="wrong_output",
            reason="l'écart dépasse µ: Δ > 2",
            agreement=Agreement(tensors=(error,), readout=False),
        ),
        record(2),
        record(1, "sdpa[block=64]"),
        record(1, problem=LONG),
    ]
    store.add("first", made[0])
    store.add("first", *made[1:])
    assert Store.open(url).records("first") == made


def test_records_belong_to_their_run(store: Store) -> None:
    store.begin(run("second"))
    store.add("first", record(1))
    store.add("second", record(1), record(2))
    assert store.records("first") == [record(1)]
    assert store.records("second") == [record(1), record(2)]


def test_a_finished_run_has_an_end(store: Store) -> None:
    store.begin(run("second"))
    store.end("first")
    ended = store.run("first").ended
    assert ended is not None
    assert datetime.fromisoformat(ended).tzinfo is not None
    assert store.run("second").ended is None


def test_a_moment_is_printed_in_utc_to_the_second() -> None:
    moment = datetime.fromisoformat(now())
    assert moment.utcoffset() == datetime.now(UTC).utcoffset()
    assert moment.microsecond == 0


def test_the_store_is_one_file(store: Store, path: Path) -> None:
    store.add("first", record(1))
    assert list(path.parent.iterdir()) == [path]


def test_a_second_record_of_a_pair_is_refused_and_the_first_stays(store: Store) -> None:
    store.add("first", record(1), record(2))
    other = Record(
        session=1,
        problem=SHORT,
        implementation="naive",
        status="failed",
        cause="exception",
        reason="late",
    )
    with pytest.raises(StoreError, match="holds that already"):
        store.add("first", record(1))
    with pytest.raises(StoreError, match="holds that already"):
        store.add("first", other)
    assert store.records("first") == [record(1), record(2)]


def test_of_records_added_together_all_are_stored_or_none(store: Store) -> None:
    store.add("first", record(1))
    with pytest.raises(StoreError, match="holds that already"):
        store.add("first", record(2), record(3), record(1))
    assert store.records("first") == [record(1)]
    store.add("first", record(2), record(3))
    assert store.records("first") == [record(1), record(2), record(3)]


def test_two_runs_cannot_have_one_name(store: Store) -> None:
    store.add("first", record(1))
    with pytest.raises(StoreError, match="holds that already"):
        store.begin(run("first"))
    assert [each.name for each in store.runs()] == ["first"]
    assert store.records("first") == [record(1)]


def test_a_record_of_an_unknown_run_is_refused_and_the_run_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no run 'secnd'"):
        store.add("secnd", record(1))
    assert store.records("first") == []


@pytest.mark.parametrize("acknowledged", [1, 25])
def test_records_that_a_killed_process_committed_are_there(
    store: Store, url: str, path: Path, acknowledged: int
) -> None:
    with child(WRITER, url, "naive", "0") as writer:
        assert line(writer) == "ready"
        go(writer)
        said = [line(writer) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        said += writer.stdout.read().split()
    assert writer.returncode == -signal.SIGKILL
    assert integrity(path) == "ok"
    sessions = [each.session for each in Store.open(url).records("first")]
    assert sessions[: len(said)] == [int(each) for each in said]
    assert len(sessions) - len(said) in (0, 1)  # one may be committed and not yet acknowledged
    store.add("first", record(len(sessions) + 1))


def test_two_processes_add_at_the_same_time(store: Store, url: str, path: Path) -> None:
    with child(WRITER, url, "left", "150") as left, child(WRITER, url, "right", "150") as right:
        assert (line(left), line(right)) == ("ready", "ready")
        go(left)
        go(right)
        left.communicate()
        right.communicate()
    assert (left.returncode, right.returncode) == (0, 0)
    keys = [each.key for each in store.records("first")]
    expected = {(n, SHORT, name) for n in range(1, 151) for name in ("left", "right")}
    assert len(keys) == 300
    assert set(keys) == expected
    assert integrity(path) == "ok"


def test_a_process_killed_while_making_the_store_leaves_one_that_opens(
    url: str, path: Path
) -> None:
    path.parent.mkdir()
    with child(KILLED_WHILE_MAKING, url) as maker:
        maker.communicate()
    assert maker.returncode == 9
    store = Store.open(url)
    store.begin(run("first"))
    assert [each.name for each in Store.open(url).runs()] == ["first"]


def test_opening_again_changes_nothing(store: Store, url: str, path: Path) -> None:
    store.add("first", record(1))
    before = path.read_bytes()
    assert Store.open(url).records("first") == [record(1)]
    assert Store.open(url, create=False).run().name == "first"
    assert path.read_bytes() == before


@pytest.mark.parametrize("found", [FORMAT + 1, FORMAT + 41])
@pytest.mark.parametrize("create", [True, False])
def test_a_newer_format_is_refused_with_one_line(
    store: Store, path: Path, found: int, *, create: bool
) -> None:
    store.add("first", record(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE attnbench_format SET format = ?", (found,))
        connection.commit()
    said = refused(path, create=create)
    assert f"is of format {found}, this version reads {FORMAT}; update attnbench or name" in said


@pytest.mark.parametrize("create", [True, False])
def test_a_store_of_the_version_before_is_refused_and_names_the_version_that_reads_it(
    store: Store, path: Path, *, create: bool
) -> None:
    store.add("first", record(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE attnbench_format SET format = 2")
        connection.commit()
    said = refused(path, create=create)
    assert "has format 2, of attnbench 0.1.0; python run_bench.py migrate --store sqlite" in said
    assert said.endswith(f"brings it to format {FORMAT}, which that version cannot read")


def test_every_format_names_the_version_that_writes_it() -> None:
    assert list(WRITTEN_BY) == list(range(1, FORMAT + 1))


@pytest.mark.parametrize("create", [True, False])
def test_another_program_s_database_is_refused(tmp_path: Path, *, create: bool) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE songs (name TEXT); CREATE TABLE albums (name TEXT)")
    said = refused(path, create=create)
    assert (
        "theirs.db holds another program's tables ('albums', 'songs'); name another --store" in said
    )


def garbage(_: bytes) -> bytes:
    return b"The quick brown fox. " * 500


def broken_header(whole: bytes) -> bytes:
    return b"\0" * 64 + whole[64:]


def broken_pages(whole: bytes) -> bytes:
    return whole[:4096] + b"\xff" * (len(whole) - 4096)


def truncated(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


@pytest.mark.parametrize("spoil", [garbage, broken_header, broken_pages, truncated])
@pytest.mark.parametrize("create", [True, False])
def test_a_corrupted_file_is_refused_and_left_as_it_was(
    store: Store, path: Path, spoil: Callable[[bytes], bytes], *, create: bool
) -> None:
    store.add("first", *(record(n) for n in range(1, 40)))
    path.write_bytes(spoil(path.read_bytes()))
    said = refused(path, create=create)
    assert "cannot be" in said
    assert said.endswith("name another --store")


@pytest.mark.parametrize("folder", ["/proc/nowhere", "/proc/nowhere/at/all"])
def test_a_folder_that_cannot_be_made_is_named(folder: str) -> None:
    with pytest.raises(StoreError, match=f"^the folder {folder} of the store cannot be made: "):
        Store.open(f"sqlite:///{folder}/bench.db")


def test_a_folder_below_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(
        StoreError, match=f"^the folder {file}/results of the store cannot be made: "
    ):
        Store.open(f"sqlite:///{file}/results/bench.db")
    assert file.read_text() == "kept"


def test_a_folder_that_accepts_no_file_is_an_error_in_one_line() -> None:
    with pytest.raises(
        StoreError, match=r"^the store sqlite:////proc/bench\.db cannot be opened: "
    ):
        Store.open("sqlite:////proc/bench.db")


def test_a_folder_in_place_of_the_file_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; name another --store"):
        Store.open(f"sqlite:///{tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_can_still_be_read(
    store: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own read-only mode stands for permissions, which root does not feel."""
    monkeypatch.chdir(tmp_path)
    store.add("first", record(1))
    reader = Store.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert reader.records("first") == [record(1)]
    with pytest.raises(
        StoreError, match="cannot be written: attempt to write a readonly database;"
    ):
        reader.add("first", record(2))
    assert store.records("first") == [record(1)]


def test_a_file_named_in_sqlite_s_own_way_leaves_no_folder_behind(
    store: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.rglob("*"))
    reader = Store.open(f"sqlite:///file:{path}?mode=ro&uri=true", create=False)
    assert reader.runs() == store.runs()
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize(
    "bad",
    ["", "bench.db", "results/bench.db", "nosuch://host/bench"],
)
def test_a_bad_url_is_an_error_that_shows_a_good_one(bad: str) -> None:
    with pytest.raises(
        StoreError, match=f"^the store {bad!r}: .* expected a URL like sqlite:///resu"
    ):
        Store.open(bad)


def test_a_port_that_is_no_number_is_a_bad_url() -> None:
    with pytest.raises(
        StoreError, match=r"^the store 'postgresql://host:port/bench': .*; expected a URL"
    ):
        Store.open("postgresql://host:port/bench")


@pytest.mark.parametrize(
    "secret_url",
    [
        "nosuch://me:s3cret@host/bench",
        "postgresql+nosuch://me:s3cret@host/bench",
        "postgresql://me:s3cret@host:port/bench",
    ],
)
def test_an_error_never_shows_a_password(secret_url: str) -> None:
    with pytest.raises(StoreError, match="host") as caught:
        Store.open(secret_url)
    assert "s3cret" not in str(caught.value)


def test_a_store_that_must_not_be_created_is_not(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        StoreError, match=r"^no store at .*bench\.db; python run_bench\.py makes one"
    ):
        Store.open(url, create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_stays_empty_where_no_store_must_be_created(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    store = Store.open(f"sqlite:///{path}", create=False)
    assert store.runs() == []
    with pytest.raises(StoreError, match="holds no run"):
        store.run()
    assert path.read_bytes() == b""


def test_runs_are_found_by_name_and_by_age(store: Store) -> None:
    store.begin(run("second"))
    store.begin(run("third"))
    found = {
        word: store.run(word).name
        for word in ("latest", "latest~0", "latest~1", "latest~2", "first", "second", "third")
    }
    assert found == {
        "latest": "third",
        "latest~0": "third",
        "latest~1": "second",
        "latest~2": "first",
        "first": "first",
        "second": "second",
        "third": "third",
    }
    assert store.run() == store.run("third")
    assert [each.name for each in store.runs()] == ["first", "second", "third"]


def test_a_run_older_than_the_first_says_how_many_there_are(store: Store) -> None:
    with pytest.raises(StoreError, match=r"^no run 'latest~1': the store sqlite:.* holds 1$"):
        store.run("latest~1")


@pytest.mark.parametrize("name", ["frist", "latest~x", "latest~-1", "", "first~1"])
def test_an_unknown_run_names_the_newest(store: Store, name: str) -> None:
    store.begin(run("second"))
    with pytest.raises(
        StoreError, match=f"^no run '{name}' in .*; the newest is 'second' .python run_b"
    ):
        store.run(name)


def test_a_store_without_a_run_says_how_to_make_one(url: str) -> None:
    with pytest.raises(StoreError, match=r"holds no run; python run_bench\.py makes one"):
        Store.open(url).run()


def test_the_newest_runs_are_named_the_oldest_of_them_first(url: str) -> None:
    store = Store.open(url)
    for name in ("first", "second", "third"):
        store.begin(run(name))
    assert store.newest(2) == ["second", "third"]
    with pytest.raises(StoreError, match=r"^the newest 4 runs: the store .* holds 3$"):
        store.newest(4)


def test_the_records_of_each_run_are_counted(url: str) -> None:
    store = Store.open(url)
    assert store.counts() == {}
    for name in ("first", "second"):
        store.begin(run(name))
    store.add("first", record(CHECK), record(1))
    assert store.counts() == {"first": 2, "second": 0}


def test_records_are_read_in_order_however_many_at_a_time(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(url)
    store.begin(run("first"))
    made = [record(session) for session in range(8)]
    store.add("first", *made)
    monkeypatch.setattr("suites.records.store.AT_ONCE", 3)
    assert [len(rows) for rows in store.rows("first")] == [3, 3, 2]
    assert store.records("first") == made


def test_adding_no_record_changes_nothing(url: str) -> None:
    store = Store.open(url)
    store.begin(run("first"))
    store.add("first")
    assert store.records("first") == []
