"""Report a run or a history: write page and charts, print the tables or JSON, then the paths."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from reports.analysis.history import history
from reports.analysis.machines import are_of_one_machine, kinds, machines
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.outputs import drawing, profiling
from reports.outputs.exit_status import expect_comparable
from reports.outputs.export import json_data
from reports.outputs.export.json_lines import Stream
from reports.outputs.export.machines_data import of_kinds as kinds_data
from reports.outputs.export.machines_data import of_machines
from reports.outputs.folder import RESULTS
from reports.outputs.html import kinds_page, machines_page, page
from reports.outputs.html.saving import Report
from reports.outputs.markdown.comparison import of_history
from reports.outputs.markdown.kinds import of_kinds
from reports.outputs.markdown.run import of_run
from reports.outputs.markdown.text import escaped
from reports.outputs.png.formats import DEFAULT, Format
from reports.outputs.streams import OutputError
from reports.outputs.summary import append
from reports.outputs.terminal import run_tables
from reports.outputs.terminal.console import (
    print_json,
    print_line,
    print_paths,
    print_tables,
    waiting,
)
from reports.outputs.terminal.history_tables import history_tables
from reports.outputs.terminal.kind_tables import kind_tables
from reports.outputs.terminal.machine_tables import machine_tables
from reports.views import history_summary
from reports.views.history import section
from reports.views.machines import name as machine_name
from suites.records.groups import group_of
from suites.records.named import Stored
from suites.records.profile import Profile
from suites.records.record import Record
from suites.records.store import Run

MOST_CHARTS: Final = 8
"""Paths of charts that are printed; more are counted."""


def report(  # noqa: PLR0913 - each parameter is an option of the command line
    run: Run,
    records: Sequence[Record],
    out: Path | None,
    *,
    as_json: bool,
    every: bool = False,
    lines: Stream | None = None,
    summary: Path | None = None,
    formats: Sequence[Format] = DEFAULT,
    profiles: Sequence[Profile] = (),
) -> None:
    """Write page and charts, and print the tables or JSON, then the paths.

    every    print the tables of all panels, all verdicts and all that was not measured
    lines    prints the JSON as one line
    summary  a file to which the answer is appended as markdown
    formats  of the chart files
    profiles of the run: their page is written again beside its own

    Raises OutputError where standard output cannot be written.
    """
    analysis = Analysis(run, records)
    folder = out or RESULTS / run.name
    of_profiles = ProfiledRun(analysis, tuple(profiles)) if profiles else None
    profiled = (
        profiling.write(of_profiles, folder, quiet=as_json, formats=formats)
        if of_profiles
        else None
    )
    made = _written(analysis, folder, formats, profiled, quiet=as_json)
    append(summary, of_run(analysis))
    try:
        if as_json:
            (lines.run if lines else print_json)({**json_data.of_run(analysis), **_files(made)})
        else:
            print_tables(run_tables.summary(analysis, every=every))
            print_paths([*([profiled.page] if profiled else []), *_paths(made)])
    except OutputError as error:
        page_is = f", its page is {made.page}" if made else ""
        raise OutputError(f"{error}; run {run.name} is stored{page_is}") from error
    if made is None:
        print_line(drawing.without_page(run.name), stderr=True)


def _written(
    analysis: Analysis,
    folder: Path,
    formats: Sequence[Format],
    profiled: Report | None,
    *,
    quiet: bool,
) -> Report | None:
    """The page and the charts; None where the packages that draw them are not installed."""
    if drawing.missing():
        return None
    with nullcontext() if quiet else waiting("writing the page and the charts"):
        return page.write(analysis, folder, formats=formats, profile=profiled)


def report_several(
    sides: Sequence[Stored],
    out: Path | None,
    *,
    anyway: bool,
    as_json: bool,
    summary: Path | None = None,
    formats: Sequence[Format] = DEFAULT,
) -> None:
    """Report runs of one machine as a history, and those of several machines side by side.

    anyway   a history of several machines, too, marked
    formats  of the chart files

    Raises ValueError where the packages that draw pages are not installed.
    """
    drawing.expect_possible()
    if anyway or are_of_one_machine([run for run, _ in sides]):
        report_history(sides, out, anyway=anyway, as_json=as_json, summary=summary, formats=formats)
    else:
        report_machines(sides, out, as_json=as_json, summary=summary, formats=formats)


def report_machines(
    sides: Sequence[Stored],
    out: Path | None,
    *,
    as_json: bool,
    summary: Path | None = None,
    formats: Sequence[Format] = DEFAULT,
) -> None:
    """Write the page of several machines, and print their times and answers.

    summary  a file to which the answer of each machine is appended as markdown
    """
    found = machines(sides)
    folder = out or RESULTS / f"{found.sides[0].run.name}-machines"
    made = machines_page.write(found, folder, formats=formats)
    for side in found.sides:
        append(summary, f"## {escaped(machine_name(side))}\n\n{of_run(side.analysis)}")
    if as_json:
        print_json({**of_machines(found), **_files(made)})
        return
    print_tables(machine_tables(found))
    print_paths(_paths(made))


def report_kinds(
    sides: Sequence[Stored],
    out: Path | None,
    *,
    as_json: bool,
    every: bool = False,
    summary: Path | None = None,
    formats: Sequence[Format] = DEFAULT,
) -> None:
    """Write the page of a run over several kinds of machine, and print what is fastest where.

    sides    its runs, RUN@KIND
    every    print all tables of each machine
    summary  a file to which the tables and the answer of each machine are appended as markdown

    Raises ValueError where the packages that draw pages are not installed.
    """
    drawing.expect_possible()
    found, name = kinds(sides), group_of(sides[0][0].name)
    with nullcontext() if as_json else waiting("writing the page and the charts"):
        made = kinds_page.write(name, found, out or RESULTS / name, formats=formats)
    append(summary, of_kinds(name, found))
    if as_json:
        print_json({**kinds_data(name, found), **_files(made)})
        return
    print_tables(kind_tables(found, every=every))
    print_paths(_paths(made))


def report_history(
    sides: Sequence[tuple[Run, list[Record]]],
    out: Path | None,
    *,
    anyway: bool,
    as_json: bool,
    summary: Path | None = None,
    formats: Sequence[Format] = DEFAULT,
) -> None:
    """Write the page of the newest run with the history of all, and print what changed.

    summary  a file to which the changes are appended as markdown
    """
    found = history(sides)
    for change in found.changes:
        expect_comparable(change, anyway=anyway)
    newest = found.analyses[-1]
    folder = out or RESULTS / f"{newest.run.name}-history"
    made = page.write(
        newest,
        folder,
        further=(section(found),),
        first=history_summary.of_history(found),
        formats=formats,
    )
    append(summary, of_history(found))
    if as_json:
        print_json({**json_data.of_history(found), **_files(made)})
        return
    print_tables(history_tables(found))
    print_paths(_paths(made))


def _files(made: Report | None) -> dict[str, Any]:
    """The files written, for programs."""
    if made is None:
        return {}
    return {"page": str(made.page), "charts": [str(path) for path in made.charts]}


def _paths(made: Report | None) -> list[Path | str]:
    """The files written, for people: many charts are counted, and the page is last."""
    if made is None:
        return []
    if len(made.charts) <= MOST_CHARTS:
        return [*made.charts, made.page]
    return [f"{len(made.charts)} charts in {made.page.parent}", made.page]
