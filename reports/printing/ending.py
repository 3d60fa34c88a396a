"""What a run says at its end: page and charts, the tables or JSON, and the exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import reports
from reports import history
from reports.analysis import Analysis
from reports.folder import RESULTS
from reports.judging.compare import Comparison, not_gated, slower_beyond
from reports.printing import plain, terminal
from reports.printing.console import print_json, print_line, print_paths, print_tables
from reports.printing.histories import history_tables
from reports.printing.stream import Stream
from suites.records.record import ANSWERS, Record
from suites.records.store import Run


def report(
    run: Run,
    records: Sequence[Record],
    out: Path | None,
    *,
    as_json: bool,
    lines: Stream | None = None,
) -> None:
    """Write page and charts, and print the tables or JSON, then the paths.

    lines  takes the JSON, as a line of its own
    """
    analysis = Analysis(run, records)
    made = reports.write(analysis, out or RESULTS / run.name)
    paths = [str(path) for path in (made.page, *made.charts)]
    if as_json:
        data = {**plain.as_data(analysis), "page": paths[0], "charts": paths[1:]}
        (lines.run if lines else print_json)(data)
        return
    print_tables(terminal.summary(analysis))
    print_paths(paths)


def report_history(
    sides: Sequence[tuple[Run, list[Record]]], out: Path | None, *, anyway: bool, as_json: bool
) -> None:
    """Write the page of the newest run with the history of all, and print what changed."""
    found = history.history(sides)
    for change in found.changes:
        expect_comparable(change, anyway=anyway)
    newest, section = found.analyses[-1].run, history.section(found)
    made = history.write(found, section, out or RESULTS / f"{newest.name}-history")
    paths = [str(path) for path in (made.page, *made.charts)]
    if as_json:
        print_json({**history.as_data(found), "page": paths[0], "charts": paths[1:]})
        return
    print_tables(history_tables(found))
    print_paths(paths)


def expect_comparable(found: Comparison, *, anyway: bool) -> None:
    """Raise ValueError for runs that differ in machine or settings, unless that was asked for."""
    if found.differences and not anyway:
        raise ValueError(
            f"{found.base} and {found.new} are not comparable: {'; '.join(found.differences)}; "
            "--anyway compares them all the same, marked"
        )


def gate_status(found: Comparison, limit: float) -> int:
    """1 for what is slower by more than a limit, and where nothing could have been found slower."""
    if why := not_gated(found):
        asked = f"{found.new} was not held against {found.base}"
        print_line(f"--fail-if-slower: {asked}, which is no pass: {why}", stderr=True)
        return 1
    return int(len(slower_beyond(found.table, limit)) > 0)


def exit_status(records: Sequence[Record], *, strict: bool = False) -> int:
    """0 when every record is an answer and one at least is ok; strict: when all asked agree."""
    fine = ("ok", "refused", "missing") if strict else ANSWERS
    if any(record.status not in fine for record in records):
        return 1
    if not any(record.status == "ok" for record in records):
        print_line(
            f"nothing was measured: {_counted(records)}; the reasons stand above "
            "(python run_bench.py list implementations)",
            stderr=True,
        )
        return 1
    return 0


def _counted(records: Sequence[Record]) -> str:
    found = Counter(record.status.replace("_", " ") for record in records)
    return ", ".join(f"{count} {status}" for status, count in found.items())
