"""Report a profile: write its page, charts and data, and print the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.outputs import drawing
from reports.outputs.exit_status import exit_status
from reports.outputs.export.profile_data import of_profiles
from reports.outputs.folder import RESULTS, unwritable
from reports.outputs.html import profile_page
from reports.outputs.html.saving import Report
from reports.outputs.png.formats import DEFAULT, Format
from reports.outputs.terminal.console import (
    print_json,
    print_line,
    print_paths,
    print_tables,
    waiting,
)
from reports.outputs.terminal.profile_tables import profile_tables
from reports.views.profile.files import DATA
from suites.conducting import Conducted
from suites.records.profile import Profile


def report(done: Conducted, profiles: list[Profile], out: Path | None, *, as_json: bool) -> int:
    """Write the files of a run's profiles, and print the answer or JSON; the exit status."""
    found = ProfiledRun(Analysis(done.run, done.records), tuple(profiles))
    folder = out or RESULTS / done.run.name
    made = write(found, folder, quiet=as_json)
    if as_json:
        print_json(of_profiles(found))
    else:
        print_tables(profile_tables(found))
        print_paths(_paths(found, folder, made))
    if made is None:
        print_line(drawing.without_charts(), stderr=True)
    return 1 if found.faults else exit_status(done.records, named=done.run.plan.named)


def write(
    found: ProfiledRun, folder: Path, *, quiet: bool, formats: Sequence[Format] = DEFAULT
) -> Report | None:
    """Write the data, the page and its charts; None: the packages that draw are not installed."""
    _write_data(found, folder)
    if drawing.missing():
        return None
    with nullcontext() if quiet else waiting("writing the page and the charts"):
        return profile_page.write(found, folder, formats=formats)


def _write_data(found: ProfiledRun, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(of_profiles(found), indent=1) + "\n"
        (folder / DATA).write_text(text, "utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error


def _paths(found: ProfiledRun, folder: Path, made: Report | None) -> list[Path]:
    """The files written; the page is last."""
    files = [folder / name for each in found.profiles for name in each.files]
    drawn = [*made.charts, made.page] if made else []
    return [*files, folder / DATA, *drawn]
