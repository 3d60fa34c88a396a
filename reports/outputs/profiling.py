"""Report a profile: write its page, charts and data, and print the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.outputs import drawing
from reports.outputs.exit_status import exit_status
from reports.outputs.folder import RESULTS
from reports.outputs.html import profile_page
from reports.outputs.terminal.console import print_json, print_line, print_paths
from reports.views.profile import page as views
from suites.conducting import Conducted
from suites.records.codec import to_data
from suites.records.profile import Profile


def report(done: Conducted, profiles: list[Profile], out: Path | None, *, as_json: bool) -> int:
    """Report the profiles of a run; the exit status."""
    found = ProfiledRun(Analysis(done.run, done.records), tuple(profiles))
    folder = out or RESULTS / done.run.name
    made = None if drawing.missing() else profile_page.write(found, folder)
    if as_json:
        print_json(_data(found))
    else:
        for sentence in views.sentences(found):
            print_line(sentence)
        print_paths([made.page] if made else [])
    return 1 if found.faults else exit_status(done.records, named=done.run.plan.named)


def _data(found: ProfiledRun) -> dict[str, Any]:
    return {"run": found.analysis.run.name, "profiles": list(map(to_data, found.profiles))}
