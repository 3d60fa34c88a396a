"""Exports: other programs read them and find exactly what was stored."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from pytest_benchmark.stats import Stats

from reports.analysis.ranking.dispatch import dispatch
from reports.analysis.run_analysis import Analysis
from reports.outputs.export import formats
from reports.outputs.export.export import export, extension
from reports.outputs.export.formats import as_json, names
from reports.outputs.export.formats.as_pytest_benchmark import stats
from reports.outputs.export.json_data import plain
from reports.outputs.export.samples import SAMPLE_COLUMNS, samples
from reports.rows.columns import PROBLEM_COLUMNS, problem_columns
from reports.rows.measurements import MEASUREMENT_COLUMNS, measurements
from suites.records.codec import from_json, to_data
from suites.records.profile import Profile
from suites.records.record import Record
from suites.records.store import Run, Store
from tests.reports.profile_by_hand import profile
from tests.reports.row_data import rows_of
from tests.saved_run import (
    PROBLEMS,
    conditions,
    peak_bytes,
    small_run,
    stored,
    times,
    twin_times,
)

ONE = PROBLEMS[1]
NEVER_OK = {"off_by_one", "xformers", "flash_attn"}


def run_with_one_apart() -> tuple[Run, list[Record]]:
    """The small run on one problem; chunked is timed once in a session, apart from the rounds."""
    run, records = small_run(problems=(ONE,))
    return run, [_apart(r) if r.times_ms and r.implementation == "chunked" else r for r in records]


def _apart(record: Record) -> Record:
    return replace(record, times_ms=(12.0,), in_rounds=False, conditions=None)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def made(folder: Path, format_name: str, run: Run, records: list[Record]) -> dict[str, Any]:
    (file,) = export(stored(run, records), run, format_name, folder / "run.json")
    data: dict[str, Any] = json.loads(file.read_text())
    return data


def test_csv_holds_the_measurements_and_beside_them_every_sample(tmp_path: Path) -> None:
    run, records = run_with_one_apart()
    table, beside = export(stored(run, records), run, "csv", tmp_path / "folder" / "run.csv")
    assert (table.name, beside.name) == ("run.csv", "run-samples.csv")
    found = rows(table)
    assert tuple(found[0]) == MEASUREMENT_COLUMNS
    assert len(found) == len(measurements(run, records))
    assert {row["implementation"] for row in found}.isdisjoint(NEVER_OK)
    taken = rows(beside)
    assert tuple(taken[0]) == SAMPLE_COLUMNS
    assert [float(row["time_ms"]) for row in taken] == [
        row["time_ms"] for row in samples(Analysis(run, records))
    ]


def test_a_sample_says_its_round_its_twin_and_what_disturbed_it() -> None:
    run, records = run_with_one_apart()
    taken = [row for row in samples(Analysis(run, records)) if row["session"] == 2]
    naive = [row for row in taken if row["implementation"] == "naive"]
    assert [row["time_ms"] for row in naive] == list(times(ONE, "naive", 2))
    assert [row["twin_ms"] for row in naive] == list(twin_times(ONE, "naive", 2))
    assert [row["round"] for row in naive] == [1, 2, 3, 4, 5]
    assert [row["disturbed"] for row in naive] == list(conditions().disturbed)
    (alone,) = [row for row in taken if row["implementation"] == "chunked"]
    assert (alone["round"], alone["twin_ms"], alone["disturbed"]) == (None, None, "")
    assert (alone["problem"], alone["threads"]) == (str(ONE), 2)


def test_json_holds_what_the_program_prints_for_programs_and_the_samples(tmp_path: Path) -> None:
    run, records = run_with_one_apart()
    data = made(tmp_path, "json", run, records)
    assert data["run"] == run.name
    assert data["samples"] == samples(Analysis(run, records))
    assert {row["implementation"] for row in data["measurements"]}.isdisjoint(NEVER_OK)


def test_json_of_a_run_with_profiles_holds_them(tmp_path: Path) -> None:
    run, records = small_run()
    store = stored(run, records)
    made = profile("chunked")
    store.add_profile(run.name, made)
    (path,) = as_json.write(store, run, tmp_path / "run.json")
    (found,) = json.loads(path.read_text())["profiles"]
    assert from_json(Profile, json.dumps(found)) == made


def test_a_pytest_benchmark_file_holds_every_sample_in_seconds(tmp_path: Path) -> None:
    run, records = small_run()
    data = made(tmp_path, "pytest-benchmark", run, records)
    assert len(data["benchmarks"]) == len(measurements(run, records))
    assert {each["params"]["implementation"] for each in data["benchmarks"]}.isdisjoint(NEVER_OK)
    each = next(e for e in data["benchmarks"] if e["name"] == f"chunked[{ONE}]")
    assert (each["group"], each["params"]["problem"]) == (str(ONE), str(ONE))
    taken = [ms / 1000 for session in (1, 2, 3) for ms in times(ONE, "chunked", session)]
    assert each["stats"]["data"] == taken
    assert (each["stats"]["rounds"], each["stats"]["iterations"]) == (15, 3)


def test_a_pytest_benchmark_file_carries_our_own_figures(tmp_path: Path) -> None:
    data = made(tmp_path, "pytest-benchmark", *small_run())
    found = {each["name"]: each["extra_info"] for each in data["benchmarks"]}
    told = found[f"chunked[{ONE}]"]
    rows_there = rows_of(measurements(*small_run()))
    (row,) = [r for r in rows_there if (r["problem"], r["implementation"]) == (ONE, "chunked")]
    for name in ("sessions", "median_ms", "low_ms", "high_ms", "peak_bytes", "share_of_bound"):
        assert told[name] == row[name]
    assert (told["sessions"], told["peak_bytes"]) == (3, peak_bytes(ONE, "chunked"))
    assert (told["baseline"], told["verdict"]) == ("naive", "faster")
    assert told["ratio_low"] <= told["ratio"] <= told["ratio_high"]
    assert "ratio" not in found[f"naive[{ONE}]"]


def test_threads_are_never_mixed_in_one_benchmark(tmp_path: Path) -> None:
    run, records = small_run(problems=(ONE,), sessions=2, threads=(1, 2))
    data = made(tmp_path, "pytest-benchmark", run, records)
    chunked = {e["group"]: e for e in data["benchmarks"] if e["name"].startswith("chunked[")}
    assert set(chunked) == {f"{ONE} threads 1", f"{ONE} threads 2"}
    layers = {e["group"] for e in data["benchmarks"] if e["name"].startswith("multi_head[")}
    assert layers == {f"{ONE} threads 1 layers", f"{ONE} threads 2 layers"}
    assert [e["extra_info"]["sessions"] for e in chunked.values()] == [2, 2]


def test_pytest_benchmark_itself_reads_the_file_and_compares_it(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:2])
    (file,) = export(stored(run, records), run, "pytest-benchmark", tmp_path / "run.json")
    child = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(file), "--columns=median,ops"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    for problem in PROBLEMS[:2]:
        assert f"benchmark '{problem}': 4 tests" in child.stdout
        assert f"benchmark '{problem} layers': 2 tests" in child.stdout
        assert f"sdpa_flash[{problem}] (" in child.stdout
    assert "off_by_one" not in child.stdout


def test_parquet_holds_every_record_with_its_samples_and_its_problem(tmp_path: Path) -> None:
    run, records = run_with_one_apart()
    (file,) = export(stored(run, records), run, "parquet", tmp_path / "folder" / "run.parquet")
    found = parquet.read_table(file).to_pylist()
    assert len(found) == len(records)
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    for row, record in zip(found, records, strict=True):
        told = to_data(record)
        assert {name: row[name] for name in told if name not in ("agreement", "conditions")} == {
            name: value for name, value in told.items() if name not in ("agreement", "conditions")
        }
        assert row["panel"] == panels[record.implementation]
        assert {name: row[name] for name in PROBLEM_COLUMNS} == problem_columns(record.problem)
        if record.agreement:
            assert row["agreement"] == told["agreement"]
        if record.conditions:
            assert row["conditions"] == told["conditions"]


def test_parquet_of_damaged_rows_says_failed_as_every_report_does(tmp_path: Path) -> None:
    """Each of them Arrow could read: that is not enough."""
    run, records = small_run(problems=(ONE,))
    timed = [place for place, record in enumerate(records) if record.times_ms]
    damage: list[Callable[[dict[str, Any]], None]] = [
        lambda data: data["times_ms"].append(-1.0),
        lambda data: data.update(status="wrong", cause="wrong_output", reason="but it has times"),
        lambda data: data.update(cause="budget"),
        lambda data: data.update(implementation="another"),
        lambda data: data.update(first_call_ms=float("nan")),
        lambda data: data.update(conditions={"disturbed": [""]}),
        lambda data: data.update(unknown=1),
        lambda data: data.update(threads=True),
        lambda data: data.update(peak_bytes=-5),
        lambda data: data.update(kernels=[{"name": "bmm", "share": -1.0, "calls": 1}]),
    ]
    for place, spoil in zip(timed, damage, strict=False):
        url = f"sqlite:///{tmp_path / f'{place}.db'}"
        store = Store.open(url)
        store.begin(run)
        store.add(run.name, *records)
        spoilt = to_data(records[place])
        spoil(spoilt)
        with sqlite3.connect(tmp_path / f"{place}.db") as connection:
            text = json.dumps(spoilt)
            connection.execute("update records set data = ? where id = ?", (text, place + 1))
        (file,) = export(store, run, "parquet", tmp_path / f"{place}.parquet")
        found = parquet.read_table(file).to_pylist()
        assert [row["status"] for row in found] == [r.status for r in store.records(run.name)]
        assert found[place]["status"] == "failed"
        assert "cannot be read" in found[place]["reason"]
        assert found[place]["times_ms"] == []


@pytest.mark.parametrize("form", names())
def test_a_store_is_not_written_over(tmp_path: Path, form: str) -> None:
    run, records = small_run(problems=(ONE,))
    store = Store.open(f"sqlite:///{tmp_path / 'bench.db'}")
    store.begin(run)
    store.add(run.name, *records)
    with pytest.raises(ValueError, match=r"bench\.db is a database, of runs maybe; name another"):
        export(store, run, form, tmp_path / "bench.db")
    assert store.records(run.name) == records


def test_a_file_without_a_name_is_refused() -> None:
    run, records = small_run(problems=(ONE,))
    with pytest.raises(ValueError, match=r"--to '\.': expected the name of a file"):
        export(stored(run, records), run, "csv", Path())


def test_parquet_leaves_out_a_row_without_a_problem_as_every_report_does(tmp_path: Path) -> None:
    run, records = small_run(problems=(ONE,))
    store = Store.open(f"sqlite:///{tmp_path / 'bench.db'}")
    store.begin(run)
    store.add(run.name, *records)
    with sqlite3.connect(tmp_path / "bench.db") as connection:
        text = json.dumps({**to_data(records[0]), "problem": "nonsense !!"})
        connection.execute(
            "update records set problem = 'nonsense !!', data = ? where id = 1", (text,)
        )
    (file,) = export(store, run, "parquet", tmp_path / "run.parquet")
    assert len(parquet.read_table(file)) == len(store.records(run.name)) == len(records) - 1


def test_parquet_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports.outputs.export.formats.as_parquet._with_columns", fails)
    run, records = small_run(problems=(ONE,))
    with pytest.raises(ValueError, match="No space left"):
        export(stored(run, records), run, "parquet", tmp_path / "run.parquet")
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_read_and_written_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suites.records.store.AT_ONCE", 7)
    run, records = small_run(problems=PROBLEMS[:2])
    (file,) = export(stored(run, records), run, "parquet", tmp_path / "run.parquet")
    assert parquet.ParquetFile(file).metadata.num_row_groups == -(-len(records) // 7)
    found = parquet.read_table(file, columns=["session", "problem", "implementation"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        (record.session, str(record.problem), record.implementation) for record in records
    ]


def test_parquet_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    run, records = small_run(problems=(ONE,))
    with pytest.raises(ValueError, match=r'pip install .* -e "\.\[parquet\]"'):
        export(stored(run, records), run, "parquet", tmp_path / "run.parquet")


def test_dispatch_is_what_a_program_chooses_by(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:2])
    data = made(tmp_path, "dispatch", run, records)
    assert data == plain(dispatch(Analysis(run, records)))


@pytest.mark.parametrize("count", range(1, 14))
def test_the_statistics_are_those_of_pytest_benchmark(count: int) -> None:
    seconds = [0.003 + ((7 * place) % 13) / 1000 for place in range(count)]
    seconds[count // 2] += 0.2  # an outlier
    theirs: Any = Stats()  # type: ignore[no-untyped-call]
    for each in seconds:
        theirs.update(each)
    ours = {**stats(seconds), "data": None}
    assert ours.pop("outliers") == theirs.outliers
    wanted = {name: value for name, value in theirs.as_dict().items() if name != "outliers"}
    assert ours == pytest.approx({**wanted, "data": None})


def test_an_unknown_format_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    run, records = small_run()
    path = tmp_path / "run"
    with pytest.raises(ValueError, match=r"^unknown format 'cvs'; did you mean 'csv'\? expected"):
        export(stored(run, records), run, "cvs", path)
    with pytest.raises(ValueError, match=r"^unknown format 'x'; expected one of .*csv, .*json"):
        export(stored(run, records), run, "x", path)
    assert not path.exists()


def test_a_new_file_is_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "as_names.py").write_text(
        "EXTENSION = 'txt'\n"
        "def write(store, run, path):\n"
        "    path.write_text(run.name)\n"
        "    return (path,)\n"
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    run, records = small_run(problems=(ONE,))
    assert "names" in names()
    (file,) = export(stored(run, records), run, "names", tmp_path / f"run.{extension('names')}")
    assert file.read_text() == run.name


@pytest.mark.parametrize("format_name", names())
def test_a_path_that_cannot_be_written_is_one_sentence(format_name: str, tmp_path: Path) -> None:
    run, records = small_run(problems=(ONE,))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"the export cannot be written to .*; name another --to"):
        export(stored(run, records), run, format_name, tmp_path / "file" / "run.json")
