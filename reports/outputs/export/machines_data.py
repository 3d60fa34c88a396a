"""Several machines side by side as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from impls.interface import Problem
from reports.analysis.fastest_where import Column, columns, rows
from reports.analysis.machines import Machines, Side
from reports.outputs.export import json_data
from reports.views import machine_kinds, machines


def of_machines(found: Machines) -> dict[str, Any]:
    """Each run with its letter and machine in words, as `json_data.of_run`, and what differs."""
    return {
        "machines": [
            {"letter": side.label, "name": machines.name(side), **json_data.of_run(side.analysis)}
            for side in found.sides
        ],
        "differences": list(machines.unlike(found)),
    }


def of_kinds(group: str, found: Machines) -> dict[str, Any]:
    """The runs of a group, each with its kind of machine, and what is fastest where."""
    return {
        "group": group,
        "machines": [
            {"kind": side.label, **_of_side(side), **json_data.of_run(side.analysis)}
            for side in found.sides
        ],
        "fastest": json_data.plain(list(_fastest(found))),
        "differences": list(machines.unlike(found)),
    }


def _of_side(side: Side) -> dict[str, Any]:
    records = side.analysis.records
    return {
        "name": machines.name(side),
        "hosts": sorted({record.host for record in records if record.host}),
        "noise_floor": side.analysis.floor,
    }


def _fastest(found: Machines) -> Iterator[dict[str, Any]]:
    """A row for each problem, panel and machine with a time of it."""
    every = columns(found)
    for panel, problems in rows(every).items():
        for problem in problems:
            for column in every:
                yield from _on(column, problem, panel)


def _on(column: Column, problem: Problem, panel: str) -> Iterator[dict[str, Any]]:
    fastest = column.fastest(problem, panel)
    if fastest is not None:
        judged, row = fastest.verdict, fastest.measured
        own = row.implementation if fastest.is_baseline else None
        yield {
            "problem": machine_kinds.without_device(problem),
            "panel": panel,
            "kind": column.side.label,
            "device": column.device,
            "fastest": fastest.ranking.name,
            "or": [each.name for each in fastest.ranking.alternatives],
            "not_reached": list(fastest.ranking.not_reached),
            "median_ms": row.median_ms,
            "low_ms": row.low_ms,
            "high_ms": row.high_ms,
            "baseline": judged.baseline if judged else own,
            "ratio": judged.ratio if judged else None,
            "low": judged.low if judged else None,
            "high": judged.high if judged else None,
            "verdict": judged.verdict if judged else None,
        }
