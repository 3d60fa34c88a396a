"""Report a run or a history: write page and charts, print the tables or JSON, then the paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from reports.analysis.history import history
from reports.analysis.run_analysis import Analysis
from reports.outputs.exit_status import expect_comparable
from reports.outputs.export import json_data
from reports.outputs.export.json_lines import Stream
from reports.outputs.folder import RESULTS
from reports.outputs.html import page
from reports.outputs.html.page import Report
from reports.outputs.streams import OutputError
from reports.outputs.terminal import run_tables
from reports.outputs.terminal.console import print_json, print_paths, print_tables
from reports.outputs.terminal.history_tables import history_tables
from reports.views.history import section
from reports.views.history_summary import of_history
from suites.records.record import Record
from suites.records.store import Run

MOST_CHARTS: Final = 8
"""Paths of charts that are printed; more are counted."""


def report(
    run: Run,
    records: Sequence[Record],
    out: Path | None,
    *,
    as_json: bool,
    lines: Stream | None = None,
) -> None:
    """Write page and charts, and print the tables or JSON, then the paths.

    lines  prints the JSON as one line

    Raises OutputError where standard output cannot be written.
    """
    analysis = Analysis(run, records)
    made = page.write(analysis, out or RESULTS / run.name)
    try:
        if as_json:
            (lines.run if lines else print_json)({**json_data.of_run(analysis), **_files(made)})
        else:
            print_tables(run_tables.summary(analysis))
            print_paths(_paths(made))
    except OutputError as error:
        raise OutputError(f"{error}; run {run.name} is stored, its page is {made.page}") from error


def report_history(
    sides: Sequence[tuple[Run, list[Record]]], out: Path | None, *, anyway: bool, as_json: bool
) -> None:
    """Write the page of the newest run with the history of all, and print what changed."""
    found = history(sides)
    for change in found.changes:
        expect_comparable(change, anyway=anyway)
    newest = found.analyses[-1]
    folder = out or RESULTS / f"{newest.run.name}-history"
    made = page.write(newest, folder, further=(section(found),), first=of_history(found))
    if as_json:
        print_json({**json_data.of_history(found), **_files(made)})
        return
    print_tables(history_tables(found))
    print_paths(_paths(made))


def _files(made: Report) -> dict[str, Any]:
    """The files written, for programs."""
    return {"page": str(made.page), "charts": [str(path) for path in made.charts]}


def _paths(made: Report) -> list[Path | str]:
    """The files written, for people: many charts are counted."""
    if len(made.charts) <= MOST_CHARTS:
        return [made.page, *made.charts]
    return [made.page, f"{len(made.charts)} charts in {made.page.parent}"]
