"""Every sample of a run as rows, for formats that list them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from suites.records.record import Record

SAMPLE_COLUMNS: Final = (
    "problem",
    "implementation",
    "session",
    "threads",
    "round",
    "time_ms",
    "twin_ms",
    "again_ms",
    "in_layer_ms",
    "disturbed",
)


def samples(analysis: Analysis) -> list[dict[str, Any]]:
    """One row per record and sample, of pairs without a fault; columns as in SAMPLE_COLUMNS.

    round      counted from 1, over the rounds tried; None for a call timed apart from rounds
    twin_ms    the twin's sample of that round; None for all but the baseline
    again_ms   the same of the baseline in another process; None without one
    in_layer_ms  of one call and its layer; None without one
    disturbed  what disturbed the round; empty for nothing
    """
    return [
        {"problem": str(problem), "implementation": name, "threads": threads, **row}
        for (problem, threads), found in analysis.timed.items()
        for name, own in found.items()
        for record in own
        for row in _rows(record)
    ]


def _rows(record: Record) -> Iterator[dict[str, Any]]:
    disturbed = record.conditions.disturbed if record.conditions else ()
    for index, time_ms in enumerate(record.times_ms):
        yield {
            "session": record.session,
            "round": index + 1 if record.in_rounds else None,
            "time_ms": time_ms,
            "twin_ms": record.twin_ms[index] if record.twin_ms else None,
            "again_ms": record.again_ms[index] if record.again_ms else None,
            "in_layer_ms": record.in_layer_ms[index] if record.in_layer_ms else None,
            "disturbed": disturbed[index] if disturbed else "",
        }
