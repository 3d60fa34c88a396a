"""Report a recorded script: write its page, image and JSON, and print the table or the JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from reports.analysis.call_sites import CallSites, call_sites
from reports.outputs import drawing
from reports.outputs.export.script_data import of_script
from reports.outputs.folder import unwritable
from reports.outputs.html import script_page
from reports.outputs.html.saving import Report
from reports.outputs.terminal.console import print_json, print_line, print_tables
from reports.outputs.terminal.script_tables import script_tables
from reports.views.scripts.rest import unprofiled_step
from reports.views.scripts.sentences import commands
from suites.recording.command import Ended

DATA: Final = "profile.json"


def report(ended: Ended, workload: Path, *, rest: bool, as_json: bool) -> None:
    """Write the files beside the workload, and print where they are.

    rest  whether one step was to be profiled

    The table goes to standard error: standard output is the script's. JSON is one line, the last
    of standard output.
    """
    if ended.found is None:
        print_line(f"attnbench: {ended.why}; nothing was written", stderr=True)
        return
    found = call_sites(ended.found)
    unprofiled = unprofiled_step(found) if rest else ""
    if unprofiled:
        print_line(unprofiled, stderr=True)
    made = _page(found, workload)
    data = {**of_script(found, workload), "files": _files(made, workload)}
    _write(data, workload.with_name(DATA))
    if as_json:
        print_json(data, indent=None)
        return
    print_tables(script_tables(found), stderr=True)
    for line in (*_next(found, workload), *data["files"].values()):
        print_line(line, stderr=True)
    if made is None:
        print_line(drawing.without_charts(), stderr=True)


def _next(found: CallSites, workload: Path) -> list[str]:
    return [f"To find {what}: {command}" for what, command in commands(found, workload)]


def _page(found: CallSites, workload: Path) -> Report | None:
    """The page and the image; None where the packages that draw them are not installed."""
    return None if drawing.missing() else script_page.write(found, workload.parent, workload)


def _files(made: Report | None, workload: Path) -> dict[str, str]:
    pages = {"chart": str(made.charts[0]), "page": str(made.page)} if made else {}
    return {"workload": str(workload), "data": str(workload.with_name(DATA)), **pages}


def _write(data: dict[str, Any], path: Path) -> None:
    try:
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(path.parent, error) from error
