"""A stored run in the formats that other programs read: csv, json and pytest-benchmark's."""

from __future__ import annotations

import difflib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Final

import pandas as pd

from reports.analysis import Analysis, Rows
from reports.exporting import parquet
from reports.printing.plain import as_data, plain
from reports.tables import MEASUREMENT_COLUMNS
from reports.words import printable
from suites.records.record import Record
from suites.records.store import Run, Store

SAMPLE_COLUMNS: Final = (
    "problem",
    "implementation",
    "session",
    "threads",
    "round",
    "time_ms",
    "twin_ms",
    "disturbed",
)
WRITTEN_AS: Final = "5.3.1"
"""The release of pytest-benchmark whose file format is written."""
_FIGURES: Final = (
    "threads",
    "sessions",
    "median_ms",
    "low_ms",
    "high_ms",
    "peak_bytes",
    "kept_bytes",
    "share_of_bound",
)
_COMPARISON: Final = ("baseline", "floor", "ratio", "low", "high", "verdict")
_DATABASE: Final = b"SQLite format 3"
"""How a file of SQLite begins."""
_NO_COMMIT: Final = {
    "id": "unversioned",
    "time": None,
    "author_time": None,
    "dirty": False,
    "project": "attnbench",
    "branch": "(unknown)",
}
"""What pytest-benchmark itself writes outside a repository: runs know files, not commits."""


def from_store(store: Store, run: Run, format_name: str, path: Path) -> tuple[Path, ...]:
    """Write a stored run in one of FORMATS; the files written.

    parquet  the records themselves, one row each, of any status, with its samples as a list: the
             format for runs of a million records, which are read in batches

    The other formats are those of `export`, and raise what it raises.
    """
    if not path.name:
        raise ValueError(f"--to {str(path)!r}: expected the name of a file")
    if format_name != "parquet":
        return export(Analysis(run, store.records(run.name)), format_name, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _expect_no_database(path)
        parquet.write(store, run, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return (path,)


def export(analysis: Analysis, format_name: str, path: Path) -> tuple[Path, ...]:
    """Write a run in one of FORMATS but parquet; the files written.

    Pairs that are not ok do not appear.

    csv               the measurements, and the samples beside them in NAME-samples.csv; a text
                      that a spreadsheet would carry out as a formula has a ' before it
    json              what --json prints, and the samples
    pytest-benchmark  what `pytest-benchmark compare` reads: one benchmark a pair, from all samples
    dispatch          which implementation to call for which problem, for a program that chooses

    Raises ValueError for an unknown format and for a path that cannot be written.
    """
    if format_name not in _TEXTS:
        near = difflib.get_close_matches(format_name.lower(), FORMATS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown format {format_name!r}; {hint}expected one of {', '.join(FORMATS)}"
        )
    texts = _TEXTS[format_name](analysis, path)
    for file, text in texts.items():
        _write(file, text)
    return tuple(texts)


def samples(analysis: Analysis) -> list[dict[str, Any]]:
    """One row per record and sample; columns as in SAMPLE_COLUMNS.

    round      counted from 1, over the rounds tried; None for a call timed apart from rounds
    twin_ms    the twin's sample of that round; None for all but the baseline
    disturbed  why the round does not count as quiet; empty when it does
    """
    return [
        {"problem": problem, "implementation": name, "threads": threads, **row}
        for (problem, threads), found in analysis.timed.items()
        for name, own in found.items()
        for record in own
        for row in _sample_rows(record)
    ]


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """What pytest-benchmark computes from the times of one benchmark, under its names."""
    ordered = sorted(seconds)
    low, high = _quartile(ordered), _quartile(ordered[::-1])
    reach, mean = 1.5 * (high - low), fmean(ordered)
    spread = stdev(ordered) if len(ordered) > 1 else 0.0
    far = sum(abs(each - mean) > spread for each in ordered)
    beyond = sum(not low - reach <= each <= high + reach for each in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": spread,
        "rounds": len(ordered),
        "median": median(ordered),
        "iqr": high - low,
        "q1": low,
        "q3": high,
        "iqr_outliers": beyond,
        "stddev_outliers": far,
        "outliers": f"{far};{beyond}",
        "ld15iqr": ordered[bisect_left(ordered, low - reach)],
        "hd15iqr": ordered[bisect_right(ordered, high + reach) - 1],
        "ops": 1 / mean if mean else 0,
        "total": sum(ordered),
        "data": list(seconds),
    }


def _csv(analysis: Analysis, path: Path) -> dict[Path, str]:
    beside = path.with_name(f"{path.stem}-samples{path.suffix}")
    return {
        path: _table(analysis.measurements, MEASUREMENT_COLUMNS),
        beside: _table(samples(analysis), SAMPLE_COLUMNS),
    }


def _table(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
    return pd.DataFrame(cells, columns=list(columns), dtype=object).to_csv(index=False)


def _cell(value: Any) -> Any:
    """Text on one line, and none that a spreadsheet would take for a formula and carry out."""
    if not isinstance(value, str):
        return value
    line = printable(value)
    return f"'{line}" if line.lstrip().startswith(("=", "+", "-", "@")) else line


def _json(analysis: Analysis, path: Path) -> dict[Path, str]:
    return {path: _dumped({**as_data(analysis), "samples": samples(analysis)})}


def _dispatch(analysis: Analysis, path: Path) -> dict[Path, str]:
    from reports.choosing.dispatch import dispatch  # noqa: PLC0415 - others export without it

    return {path: _dumped(dispatch(analysis))}


def _pytest_benchmark(analysis: Analysis, path: Path) -> dict[Path, str]:
    run = analysis.run
    cpu = {"brand_raw": run.machine.get("cpu"), "count": run.machine.get("cores")}
    data = {
        "machine_info": {**run.machine, "cpu": cpu},
        "commit_info": _NO_COMMIT,
        "benchmarks": list(_benchmarks(analysis)),
        "datetime": run.started,
        "version": WRITTEN_AS,
    }
    return {path: _dumped(data)}


_TEXTS: Final[dict[str, Callable[[Analysis, Path], dict[Path, str]]]] = {
    "csv": _csv,
    "json": _json,
    "pytest-benchmark": _pytest_benchmark,
    "dispatch": _dispatch,
}
FORMATS: Final = (*_TEXTS, "parquet")
"""What --format takes."""
EXTENSIONS: Final = dict.fromkeys(_TEXTS, "json") | {"csv": "csv", "parquet": "parquet"}
"""What the names of their files end with."""


def _benchmarks(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """One for each pair; for each number of threads, where there are several.

    Only those of a panel are in a group: whoever reads the file ranks within groups.
    """
    figures, judged = map(_by_benchmark, (analysis.measurements, analysis.verdicts))
    run = analysis.run
    entries = {entry.name: entry for entry in run.plan.entries}
    for (problem, threads), found in analysis.timed.items():
        place = problem if len(run.plan.threads) == 1 else f"{problem} threads {threads}"
        for name, own in found.items():
            key = (problem, threads, name)
            yield {
                "group": entries[name].group(place),
                **_named(place, name),
                "extra_info": {
                    "run": run.name,
                    **_told(figures[key], _FIGURES),
                    **_told(judged.get(key, {}), _COMPARISON),
                },
                "options": {"disable_gc": True, "timer": own[0].clock, "warmup": True},
                "stats": {
                    **stats([each / 1000 for record in own for each in record.times_ms]),
                    "iterations": min(record.calls_per_sample or 1 for record in own),
                },
            }


def _by_benchmark(rows: Rows) -> dict[tuple[str, int, str], dict[str, Any]]:
    return {(row["problem"], row["threads"], row["implementation"]): row for row in rows}


def _named(place: str, implementation: str) -> dict[str, Any]:
    """The names that a benchmark is shown and found again by."""
    name = f"{implementation}[{place}]"
    params = {"implementation": implementation, "problem": place}
    param = f"{implementation}-{place}"
    return {"name": name, "fullname": name, "params": params, "param": param}


def _told(row: dict[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """What a row tells in these columns; an interval's ends under a name that says of what."""
    names = {"low": "ratio_low", "high": "ratio_high"}
    return {names.get(column, column): row[column] for column in columns if column in row}


def _sample_rows(record: Record) -> Iterator[dict[str, Any]]:
    disturbed = record.conditions.disturbed if record.conditions else ()
    for index, time_ms in enumerate(record.times_ms):
        yield {
            "session": record.session,
            "round": index + 1 if record.in_rounds else None,
            "time_ms": time_ms,
            "twin_ms": record.twin_ms[index] if record.twin_ms else None,
            "disturbed": disturbed[index] if disturbed else "",
        }


def _quartile(ordered: Sequence[float]) -> float:
    """The quartile at the beginning, as pytest-benchmark takes it: of an odd count by method 3."""
    count, place = len(ordered), len(ordered) // 4
    if count == 1:
        return ordered[0]
    if count % 2 == 0:
        return median(ordered[: count // 2])
    if count % 4 == 1:
        return 0.25 * ordered[place - 1] + 0.75 * ordered[place]
    return 0.75 * ordered[place] + 0.25 * ordered[place + 1]


def _dumped(data: dict[str, Any]) -> str:
    return json.dumps(plain(data), indent=1, allow_nan=False) + "\n"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _expect_no_database(path)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _expect_no_database(path: Path) -> None:
    """Raise ValueError for a file that may be a store of runs: it is not written over."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                raise ValueError(f"{path} is a database, of runs maybe; name another --to")


def _unwritable(path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"the export cannot be written to {path}: {error.strerror or error}; name another --to"
    )
