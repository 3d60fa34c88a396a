"""What a run does not show: open comparisons, missing precision, no GPU; and slow neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reports.analysis.run_analysis import Analysis
from reports.rows.answers import devices_beside_cpu
from reports.views import disturbance, neighbours, nvidia, processes
from reports.views.machine import NO_GPU
from reports.views.text import LONGEST_TEXT, abbreviated, capitalized, counted
from reports.views.verdicts import imprecise, noise_floor, reason
from suites.records.store import Run


def sentences(analysis: Analysis) -> list[str]:
    """Comparisons without a conclusion, with their reasons; noise, precision, lacking devices."""
    rows = analysis.verdicts
    timed = any(record.times_ms for record in analysis.records)
    found = (
        unread(analysis.run),
        *_open(analysis),
        ""
        if rows or analysis.across or not timed
        else "Nothing was compared: no problem has times of two implementations.",
        noise_floor(analysis.floor, rows) if timed else "",
        *disturbance.meaning(analysis),
        imprecise(analysis.plan, [*rows, *analysis.across]),
        *neighbours.sentences(analysis),
        *processes.sentences(analysis),
        *nvidia.sentences(analysis),
        "" if devices_beside_cpu(analysis.run, analysis.records) else f"{capitalized(NO_GPU)}.",
    )
    return [sentence for sentence in found if sentence]


def unread(run: Run) -> str:
    """The stored rows that belong to no problem, with the first reason; empty where all do."""
    if not run.unread:
        return ""
    rows = counted(len(run.unread), "stored row")
    return f"{rows} of this run cannot be read: {abbreviated(run.unread[0], LONGEST_TEXT)}."


def _open(analysis: Analysis) -> Iterator[str]:
    """Comparisons without a conclusion; equal reasons are counted together."""
    rows = analysis.verdicts
    found = Counter(
        (row.verdict, reason(row)) for row in rows if row.verdict in {"inconclusive", "not judged"}
    )
    for (verdict, why), count in found.most_common():
        because = f": {abbreviated(why, LONGEST_TEXT)}." if why else "."
        yield f"{count} of {counted(len(rows), 'comparison')} {verdict}{because}"
