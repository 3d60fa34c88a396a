"""What a run says at its end: page and charts, the tables or JSON, and the exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import reports
from reports import history
from reports.analysis import Analysis
from reports.folder import RESULTS
from reports.html.page import Report
from reports.judging.compare import Comparison, not_gated, slower_beyond
from reports.printing import plain, terminal
from reports.printing.console import print_json, print_line, print_paths, print_tables
from reports.printing.histories import history_tables
from reports.printing.stream import Stream
from reports.tables import shown_status
from reports.words import STATUS_WORDS
from suites.records.record import ANSWERS, Record
from suites.records.store import Run

MOST_CHARTS: Final = 8
"""More are not listed, but counted."""


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
    if as_json:
        (lines.run if lines else print_json)({**plain.as_data(analysis), **_files(made)})
        return
    print_tables(terminal.summary(analysis))
    print_paths(_places(made))


def report_history(
    sides: Sequence[tuple[Run, list[Record]]], out: Path | None, *, anyway: bool, as_json: bool
) -> None:
    """Write the page of the newest run with the history of all, and print what changed."""
    found = history.history(sides)
    for change in found.changes:
        expect_comparable(change, anyway=anyway)
    newest, section = found.analyses[-1].run, history.section(found)
    made = history.write(found, section, out or RESULTS / f"{newest.name}-history")
    if as_json:
        print_json({**history.as_data(found), **_files(made)})
        return
    print_tables(history_tables(found))
    print_paths(_places(made))


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


def _files(made: Report) -> dict[str, Any]:
    """What was written, for programs."""
    return {"page": str(made.page), "charts": [str(path) for path in made.charts]}


def _places(made: Report) -> list[Path | str]:
    """The same for people: many charts are counted."""
    if len(made.charts) <= MOST_CHARTS:
        return [made.page, *made.charts]
    return [made.page, f"{len(made.charts)} charts in {made.page.parent}"]


def _counted(records: Sequence[Record]) -> str:
    found = Counter(map(shown_status, records))
    return ", ".join(f"{count} {STATUS_WORDS[status]}" for status, count in found.items())
