"""pytest-benchmark: what `pytest-benchmark compare` reads; one benchmark a pair, all samples."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import plain
from reports.rows.columns import columns
from reports.rows.measurements import CASE, measurement_columns
from reports.rows.panels import ATTENTION
from suites.records.record import Record
from suites.records.store import Run, Store

EXTENSION: Final = "json"
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
_RENAMED: Final = {"low": "ratio_low", "high": "ratio_high"}
"""Columns of a comparison whose names would be ambiguous beside those of the figures."""
_NO_COMMIT: Final = {
    "id": "unversioned",
    "time": None,
    "author_time": None,
    "dirty": False,
    "project": "attnbench",
    "branch": "(unknown)",
}
"""What pytest-benchmark writes outside a repository: a run has files, but no commit."""


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the benchmarks of a run."""
    analysis = Analysis(run, store.records(run.name))
    cpu = {"brand_raw": run.machine.get("cpu"), "count": run.machine.get("cores")}
    data = {
        "machine_info": {**run.machine, "cpu": cpu},
        "commit_info": _NO_COMMIT,
        "benchmarks": list(_benchmarks(analysis)),
        "datetime": run.started,
        "version": WRITTEN_AS,
    }
    path.write_text(json.dumps(plain(data), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return (path,)


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """The statistics of one benchmark, under pytest-benchmark's names."""
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


def _benchmarks(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """One for each pair, and for each number of threads where there are several.

    Groups hold one panel, because readers of the file rank within groups.
    """
    figures, judged = _by_key(analysis.measurements), _by_key(analysis.verdicts)
    run = analysis.run
    panels = {entry.name: entry.panel for entry in run.plan.entries}
    for (problem, threads), found in analysis.timed.items():
        place = str(problem) if len(run.plan.threads) == 1 else f"{problem} threads {threads}"
        for name, own in found.items():
            key = (problem, threads, name)
            compared = columns(judged[key]) if key in judged else {}
            yield {
                "group": place if panels[name] == ATTENTION else f"{place} {panels[name]}",
                **_names(place, name),
                "extra_info": {
                    "run": run.name,
                    **_some(measurement_columns(figures[key]), _FIGURES),
                    **({CASE: figures[key].case} if figures[key].case else {}),
                    **_some(compared, _COMPARISON),
                },
                "options": {"disable_gc": True, "timer": own[0].clock, "warmup": True},
                "stats": _stats_of(own),
            }


def _stats_of(own: Sequence[Record]) -> dict[str, Any]:
    return {
        **stats([each / 1000 for record in own for each in record.times_ms]),
        "iterations": min(record.calls_per_sample or 1 for record in own),
    }


def _by_key(rows: Iterable[Any]) -> dict[Any, Any]:
    return {(row.problem, row.threads, row.implementation): row for row in rows}


def _names(place: str, implementation: str) -> dict[str, Any]:
    """The names that a benchmark is shown and found by."""
    name = f"{implementation}[{place}]"
    params = {"implementation": implementation, "problem": place}
    param = f"{implementation}-{place}"
    return {"name": name, "fullname": name, "params": params, "param": param}


def _some(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): row[name] for name in names if name in row}


def _quartile(ordered: Sequence[float]) -> float:
    """The lower quartile as pytest-benchmark computes it: method 3 for odd counts."""
    count, place = len(ordered), len(ordered) // 4
    if count == 1:
        return ordered[0]
    if count % 2 == 0:
        return median(ordered[: count // 2])
    if count % 4 == 1:
        return 0.25 * ordered[place - 1] + 0.75 * ordered[place]
    return 0.75 * ordered[place] + 0.25 * ordered[place + 1]
