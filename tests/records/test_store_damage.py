"""A damaged store: intact rows are read, damaged ones are one line each, the file is not changed.

The commands that read stores end with such a line and status 2 as well.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import run_bench
from suites.records.record import CHECK, Record
from suites.records.store import FORMAT, Store, StoreError
from tests.saved_run import PROBLEMS, facts, small_run

RUN, RECORDS = small_run(problems=PROBLEMS[:2])
RUN = replace(RUN, name="first")
BAD = next(record for record in RECORDS if record.session == 1)
"""The first timed record: naive on the first problem, in session 1."""
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a store with two runs that differ in nothing but their names."""
    path = tmp_path_factory.mktemp("sound") / "bench.db"
    store = Store.open(f"sqlite:///{path}")
    for name in ("first", "second"):
        store.begin(replace(RUN, name=name))
        for fact in facts(RUN.plan):
            store.note(name, fact)
        store.add(name, *RECORDS)
        store.end(name)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, sound: bytes) -> Path:
    made = tmp_path / "bench.db"
    made.write_bytes(sound)
    return made


def sql(*statements: str) -> Spoil:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return spoil


def of_bad(change: str) -> Spoil:
    """A change of the one bad record's row."""
    return sql(
        f"UPDATE records SET {change} WHERE id = "  # noqa: S608 - our own words
        "(SELECT id FROM records WHERE session = 1 ORDER BY id LIMIT 1)"
    )


def of_data(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """A change of the data of the one bad record."""

    def spoil(path: Path) -> None:
        data = json.loads(json.dumps(_as_stored(path)))
        change(data)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "UPDATE records SET data = ? WHERE id = "
                "(SELECT id FROM records WHERE session = 1 ORDER BY id LIMIT 1)",
                (json.dumps(data),),
            )
            connection.commit()

    return spoil


def _as_stored(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT data FROM records WHERE session = 1 ORDER BY id LIMIT 1"
        return json.loads(connection.execute(query).fetchone()[0])


BAD_RECORDS = {
    "empty": of_bad("data = ''"),
    "half": of_bad("data = substr(data, 1, length(data) / 2)"),
    "a list": of_bad("data = '[]'"),
    "nothing": of_bad("data = 'null'"),
    "no field": of_bad("data = '{}'"),
    "so deep": of_bad(f"data = '{'[' * 100_000}'"),
    "so long": of_bad(f"data = '{{\"session\": {'9' * 5000}}}'"),
    "no UTF-8": of_bad("data = CAST(x'7b22ff' AS TEXT)"),
    "a blob": of_bad("data = x'00ff'"),
    "an unknown field": of_data(lambda data: data.update(pages=1)),
    "another status": of_data(lambda data: data.update(status="wrong", reason="x")),
    "a cause that does not fit": of_data(lambda data: data.update(cause="limits")),
    "no such cause": of_data(lambda data: data.update(cause="fate")),
    "no such status": of_data(lambda data: data.update(status="fine")),
    "a status of no kind": of_data(lambda data: data.update(status=["ok"])),
    "times in words": of_data(lambda data: data.update(times_ms=["fast"])),
    "times that are no list": of_data(lambda data: data.update(times_ms=1.0)),
    "a time that is no number": of_data(lambda data: data["times_ms"].append(float("nan"))),
    "a time without end": of_data(lambda data: data["times_ms"].append(float("inf"))),
    "a time below nothing": of_data(lambda data: data["times_ms"].append(-1.0)),
    "a first call without end": of_data(lambda data: data.update(first_call_ms=float("inf"))),
    "other rounds than times": of_data(lambda data: data.update(times_ms=[1.0], twin_ms=[])),
    "bytes beyond all": of_data(lambda data: data.update(peak_bytes=10**30)),
    "a truth for a number": of_data(lambda data: data.update(peak_bytes=True)),
    "a clock that is no text": of_data(lambda data: data.update(clock={"host": 1})),
    "agreement that is a list": of_data(lambda data: data.update(agreement=[1])),
    "a tensor that is a number": of_data(lambda data: data.update(agreement={"tensors": [1]})),
    "conditions in words": of_data(lambda data: data.update(conditions="quiet")),
    "another session": of_data(lambda data: data.update(session=2)),
    "another problem": of_data(lambda data: data.update(problem="t9")),
    "a problem in no words": of_data(lambda data: data.update(problem="t8 t9")),
    "a problem that is a number": of_data(lambda data: data.update(problem=8)),
    "a problem that is a list": of_data(lambda data: data.update(problem=["t8"])),
    "a count that is too large": of_data(
        lambda data: data.update(agreement={"hard_inputs": 2**63})
    ),
}


def kept(path: Path, run: str = "first") -> list[Record]:
    return Store.open(f"sqlite:///{path}", create=False).records(run)


@pytest.mark.parametrize("spoil", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_record_that_cannot_be_read_is_a_failed_one_and_hides_no_other(
    path: Path, spoil: Spoil
) -> None:
    spoil(path)
    found = kept(path)
    assert len(found) == len(RECORDS)
    (bad,) = (record for record in found if record.status == "failed")
    assert bad.key == BAD.key
    assert bad.cause == "unreadable_record"
    assert bad.reason.startswith("its stored record of session 1 cannot be read: ")
    assert "\n" not in bad.reason
    assert len(bad.reason) < 400
    assert [r for r in found if r is not bad] == [r for r in RECORDS if r.key != BAD.key]
    assert kept(path, "second") == RECORDS


BAD_KEYS = {
    "a problem in no words": of_bad("problem = 'b1 h8 t128 dx'"),
    "no problem": of_bad("problem = ''"),
    "a problem in another form": of_bad("problem = 't128 h8'"),
    "a problem of bytes": of_bad("problem = x'00ff'"),
    "a problem of sizes that make no sense": of_bad("problem = 'h8/3 t128'"),
    "a session in words": of_bad("session = 'first'"),
    "a session and a half": of_bad("session = 1.5"),
    "a name of bytes": of_bad("implementation = x'00ff'"),
}


@pytest.mark.parametrize("spoil", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_row_without_a_readable_key_is_reported_and_hides_no_other(
    path: Path, spoil: Spoil
) -> None:
    spoil(path)
    assert kept(path) == [record for record in RECORDS if record.key != BAD.key]
    assert kept(path, "second") == RECORDS
    store = Store.open(f"sqlite:///{path}", create=False)
    (fault,) = store.run("first").unread
    assert fault.startswith("the record of session and implementation (")
    assert "\n" not in fault
    assert len(fault) < 400
    assert store.run("second").unread == ()


def test_resuming_measures_a_pair_again_whose_row_has_no_readable_key(path: Path) -> None:
    BAD_KEYS["a problem in no words"](path)
    assert RUN.plan.untimed(kept(path), 1) == [(BAD.problem, [BAD.implementation])]
    store = Store.open(f"sqlite:///{path}")
    store.add("first", BAD)
    assert sorted(store.records("first"), key=str) == sorted(RECORDS, key=str)


def test_a_report_shows_the_record_that_cannot_be_read_and_all_the_others(path: Path) -> None:
    from reports.analysis.run_analysis import Analysis
    from reports.outputs.html.page import page

    BAD_RECORDS["half"](path)
    store = Store.open(f"sqlite:///{path}")
    text = page(Analysis(store.run("first"), store.records("first")))
    assert "its stored record of session 1 cannot be read" in text
    assert "chunked" in text[text.index('id="measurements"') :]


def test_resuming_does_not_measure_a_record_again_that_cannot_be_read(path: Path) -> None:
    BAD_RECORDS["half"](path)
    left = RUN.plan.untimed(kept(path), 1)
    assert left == []


def test_records_without_the_newer_fields_are_read(path: Path) -> None:
    def older(data: dict[str, Any]) -> None:
        for name in ("kept_bytes", "checked_again", "sustained_ms", "notes"):
            del data[name]

    of_data(older)(path)
    assert kept(path) == RECORDS


def test_agreement_without_its_newer_fields_is_read(path: Path) -> None:
    newer = ("repeatable", "slope", "hard_inputs", "repeats", "differing", "batch_differs_from")
    change = ", ".join(f"'$.agreement.{name}'" for name in newer)
    sql(f"UPDATE records SET data = json_remove(data, {change}) WHERE session = 0")(path)  # noqa: S608
    sql(
        "UPDATE records SET data = json_remove(data, '$.agreement.tensors[0].worst_row', "
        "'$.agreement.tensors[0].cosine') WHERE status = 'ok' AND session = 0"
    )(path)
    with closing(sqlite3.connect(path)) as connection:
        (text,) = connection.execute("SELECT data FROM records WHERE session = 0").fetchone()
    assert "cosine" not in text
    assert kept(path) == RECORDS


def test_agreement_may_be_infinitely_wrong(path: Path) -> None:
    from reports.analysis.run_analysis import Analysis
    from reports.outputs.html.page import page

    def wrong(data: dict[str, Any]) -> None:
        tensor = {"tensor": "out", "rms_share": float("nan"), "worst_share": float("inf")}
        tensors = [tensor | {"relative_rms": float("inf"), "max_error": float("nan")}]
        data["agreement"] = {"tensors": tensors}

    of_data(wrong)(path)
    (found,) = (record for record in kept(path) if record.key == BAD.key)
    assert found.agreement is not None
    assert found.agreement.share == float("inf")
    run = Store.open(f"sqlite:///{path}").run("first")
    assert "naive" in page(Analysis(run, kept(path)))


def of_second(change: str) -> Spoil:
    return sql(f"UPDATE runs SET {change} WHERE name = 'second'")  # noqa: S608 - our own words


def of_plan(field: str, value: str) -> Spoil:
    return of_second(f"plan = json_set(plan, '$.{field}', json('{value}'))")


BAD_RUNS = {
    "no plan": of_second("plan = '{}'"),
    "half a plan": of_second("plan = substr(plan, 1, 99)"),
    "no problem": of_second("plan = replace(plan, 'b1 h8', '../h8')"),
    "another field": of_second("plan = replace(plan, 'seed', 'grain')"),
    "no threads": of_plan("threads", "[]"),
    "threads in words": of_plan("threads", '["2"]'),
    "problems in no list": of_plan("problems", '"t8"'),
    "a problem that is a number": of_plan("problems", "[8]"),
    "a problem twice": of_plan("problems", '["t8", "b1 t8"]'),
    "limits with an unknown field": of_plan("entries[0].limits[0].grain", "1"),
    "limits in words": of_plan("entries[0].limits[0].softcap", '"yes"'),
    "a head dimension in words": of_plan("entries[0].limits[0].head_dims", '["1", 2, 3]'),
    "no head dimension": of_plan("entries[0].limits[0].head_dims", "{}"),
    "a truth for a number": of_plan("sessions", "true"),
    "bytes beyond all": of_plan("memory_limit", str(2**63)),
    "one implementation twice": of_plan("entries[0].name", '"chunked"'),
    "no machine": of_second("machine = '{'"),
    "a machine of numbers": of_second("machine = '[1]'"),
    "devices in words": of_second('machine = \'{"devices": "two"}\''),
    "memory in words": of_second('machine = \'{"memory_bytes": "much"}\''),
    "memory as text": of_second('machine = \'{"memory_bytes": "8"}\''),
    "a name that leads out": of_second("name = '../../second'"),
    "a name from the root": of_second("name = '/etc/second'"),
    "no name": of_second("name = ''"),
    "a name of dots": of_second("name = '..'"),
    "a name of lines": of_second("name = 'a\nb'"),
    "a name with a mark": of_second("name = 'a' || char(0x202e)"),
    "a device": of_second("name = 'CON'"),
    "a device with an ending": of_second("name = 'nul.txt'"),
    "a long name": of_second(f"name = '{'x' * 10_000}'"),
}


@pytest.mark.parametrize("spoil", BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_run_that_cannot_be_read_is_listed_with_its_fault_and_hides_no_other(
    path: Path, spoil: Spoil
) -> None:
    spoil(path)
    store = Store.open(f"sqlite:///{path}", create=False)
    first, second = store.runs()
    assert (first.name, first.fault, first.plan) == ("first", "", RUN.plan)
    assert second.fault
    assert "\n" not in second.fault
    assert len(second.fault) < 400
    assert store.records("first") == RECORDS
    assert store.run("latest~1").name == "first"
    with pytest.raises(StoreError, match=r"^the run .* of sqlite.* cannot be read: ") as said:
        store.run()
    assert "\n" not in str(said.value)
    assert store.unused_name("quick").startswith("quick-")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/x",
        "a/b",
        "a\\b",
        "",
        ".",
        "..",
        ".x",
        "x.",
        "con",
        "COM1.db",
        "a b",
        "a\n",
        "a\0",
        "é",
        "latest",
        "-x",
        "x" * 201,
    ],
)
def test_a_run_is_not_begun_under_a_name_that_no_folder_can_have(
    path: Path, name: str
) -> None:  # fmt: skip
    store = Store.open(f"sqlite:///{path}")
    with pytest.raises(
        StoreError, match=r"^a run cannot be stored: its name, .* cannot be a folder"
    ):
        store.begin(replace(RUN, name=name))
    assert len(store.runs()) == 2


def test_names_as_runs_have_them_may_be_begun(path: Path) -> None:
    store = Store.open(f"sqlite:///{path}")
    for name in (
        store.unused_name("quick"),
        "a",
        "x" * 200,
        "v1.2_b+c",
        "latest-of-mine",
        "console",
    ):
        store.begin(replace(RUN, name=name))
    assert len(store.runs()) == 8


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "{",
        '{"ceilings": [1]}',
        '{"ceilings": [{"kind": "read"}]}',
        '{"ceilings": [{"kind": "read", "residency": "cache", "value": NaN, "device": "cpu"}]}',
        '{"affinity": "all"}',
        '{"affinity": [true]}',
        '{"threads": -1}',
        '{"environment": {"OMP_NUM_THREADS": 2}}',
        '{"surprise": 1}',
        '{"clock_resolution_ms": Infinity}',
        '{"clock_resolution_ms": "short"}',
    ],
)
def test_facts_that_cannot_be_read_have_a_fault_and_hide_no_others(path: Path, data: str) -> None:
    from reports.views import machine

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sessions SET data = ? WHERE session = 2", (data,))
        connection.commit()
    store = Store.open(f"sqlite:///{path}")
    run = store.run("first")
    assert [fact.session for fact in run.facts] == [1, 2, 3]
    assert [bool(fact.fault) for fact in run.facts] == [False, True, False]
    shown = dict(machine.facts(run, store.records("first")))
    assert shown["session 2"].startswith("its facts cannot be read: ")
    assert "measured read in memory" in shown


def test_undecodable_bytes_of_a_file_name_in_a_command_are_escaped(path: Path) -> None:
    store = Store.open(f"sqlite:///{path}")
    store.begin(replace(RUN, name="third", command="run --impl caf\udce9.py"))
    assert store.run("third").command == "run --impl caf\\udce9.py"


@pytest.mark.parametrize("table", ["attnbench_format", "runs", "records", "sessions"])
@pytest.mark.parametrize("create", [True, False])
def test_the_table_that_a_store_lacks_is_named(path: Path, table: str, *, create: bool) -> None:
    sql("PRAGMA foreign_keys = OFF", f"DROP TABLE {table}")(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="name another --store") as said:
        Store.open(f"sqlite:///{path}", create=create)
    assert ("lacks its table" in str(said.value)) is (table != "attnbench_format")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            FORMAT + 1,
            f"is of format {FORMAT + 1}, this version reads {FORMAT}; update attnbench or",
        ),
        (
            FORMAT - 1,
            rf"has format {FORMAT - 1}, of attnbench 0.1.0; python run_bench.py migrate --store",
        ),
        (None, "has no format number; the file is damaged"),
    ],
)
def test_newer_older_and_missing_formats_have_their_own_messages(
    path: Path, found: int | None, message: str
) -> None:
    sql("DELETE FROM attnbench_format")(path)
    if found is not None:
        sql(f"INSERT INTO attnbench_format VALUES ({found})")(path)  # noqa: S608 - our own number
    with pytest.raises(StoreError, match=message):
        Store.open(f"sqlite:///{path}")


def everything(path: Path) -> Iterable[object]:
    """The runs and records that reports read from a store."""
    store = Store.open(f"sqlite:///{path}", create=False)
    for run in store.runs():
        if not run.fault:
            yield store.run(run.name), store.records(run.name)


def test_random_bytes_in_a_file_are_an_error_or_faults_of_rows(
    tmp_path: Path, sound: bytes
) -> None:
    random, readable = Random(7), 0
    for place in range(40):
        path = tmp_path / f"{place}.db"
        spoilt = bytearray(sound)
        start, size = random.randrange(100, len(sound)), 2 ** random.randint(0, 12)
        spoilt[start : start + size] = random.randbytes(len(spoilt[start : start + size]))
        path.write_bytes(spoilt)
        with suppress(StoreError):
            list(everything(path))
            continue
        readable += 1
        assert path.read_bytes() == spoilt
    assert 0 < readable < 40


def ran(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    """The exit status of a command that is started in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["run_bench.py", *words])
    with pytest.raises(SystemExit) as ended:
        run_bench.main()
    return int(ended.value.code or 0)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[4096:] = Random(3).randbytes(len(whole) - 4096)
    path.write_bytes(whole)


def anothers(path: Path) -> None:
    path.unlink()
    sql("CREATE TABLE songs (name)")(path)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


UNUSABLE: dict[str, Spoil] = {
    "newer": sql(f"UPDATE attnbench_format SET format = {FORMAT + 1}"),  # noqa: S608 - our number
    "cut": cut,
    "scrambled": scrambled,
    "text": lambda path: path.write_text("The quick brown fox.\n" * 99),
    "another's": anothers,
    "no records": sql("DROP TABLE records"),
    "no runs": sql("DROP TABLE runs"),
    "gone": lambda path: path.unlink(),
    "a folder": folder_instead,
    "empty": lambda path: path.write_bytes(b""),
}
COMMANDS = (
    ("list", "runs"),
    ("report",),
    ("report", "first", "--json"),
    ("export",),
    ("compare", "first", "second"),
    ("compare", "naive", "chunked", "--run", "first"),
    ("run", "--resume"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
def test_a_command_on_a_store_that_cannot_be_used_is_one_line_and_status_2(
    path: Path,
    spoil: Spoil,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    status = ran(monkeypatch, path.parent, *command, "--store", "sqlite:///bench.db")
    out, err = capsys.readouterr()
    if command == ("list", "runs") and before == b"":  # no run is an answer
        assert (status, err) == (0, "")
        assert "no runs" in out
    else:
        assert (status, out) == (2, "")
        assert err.startswith("attnbench: ")
        assert err.count("\n") == 1
        assert "bench.db" in err
        assert "name another --store" in err or "python run_bench.py makes one" in err
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [each.name for each in path.parent.iterdir()] == ["bench.db"] * path.exists()


@pytest.mark.parametrize("command", COMMANDS[1:3], ids=" ".join)
def test_a_command_on_a_run_that_cannot_be_read_is_one_line_and_status_2(
    path: Path,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sql("UPDATE runs SET plan = '{}'")(path)
    assert ran(monkeypatch, path.parent, *command, "--store", "sqlite:///bench.db") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("attnbench: the run ")
    assert "cannot be read: ValueError: sessions: Field required, found {}; update attnb" in err


def test_every_command_reads_the_records_beside_one_that_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    BAD_RECORDS["half"](path)
    monkeypatch.setenv("COLUMNS", "200")
    url = ("--store", "sqlite:///bench.db")
    assert ran(monkeypatch, path.parent, "report", "first", *url) == 0
    assert "its stored record of session 1 cannot be read" in capsys.readouterr().out
    assert ran(monkeypatch, path.parent, "export", "first", "--to", "it.csv", *url) == 0
    assert "chunked" in (path.parent / "it.csv").read_text()
    assert ran(monkeypatch, path.parent, "compare", "second", "first", *url) == 0
    assert "cannot be read" in capsys.readouterr().out


def test_a_check_that_cannot_be_read_has_no_times(path: Path) -> None:
    sql("UPDATE records SET data = '' WHERE session = 0")(path)
    checks = [record for record in kept(path) if record.session == CHECK]
    assert {record.status for record in checks} == {"failed"}
    assert all(not record.times_ms for record in checks)
