"""Report what models learnt: write the page, charts and data, and print the verdicts."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

from reports.analysis.learning.learnt import faults
from reports.outputs import drawing
from reports.outputs.export.learning_data import of_learning
from reports.outputs.folder import RESULTS, unwritable
from reports.outputs.html import learning_page
from reports.outputs.html.saving import Report
from reports.outputs.terminal.console import (
    print_json,
    print_line,
    print_paths,
    print_tables,
    waiting,
)
from reports.outputs.terminal.learning_tables import learning_tables
from reports.views.learning.page import DATA
from reports.views.text import abbreviated
from suites.training import LearntRun


def report(found: LearntRun, out: Path | None, *, as_json: bool) -> int:
    """Write the files of a run, and print the verdicts or JSON; the exit status."""
    folder = out or RESULTS / found.run.name
    made = write(found, folder, quiet=as_json)
    if as_json:
        print_json(of_learning(found))
    else:
        print_tables(learning_tables(found))
        print_paths([folder / DATA, *((*made.charts, made.page) if made else ())])
    if made is None:
        print_line(drawing.without_charts(), stderr=True)
    return exit_status(found)


def exit_status(found: LearntRun) -> int:
    """1 where an implementation fails the gate or failed, or a named one was never trained."""
    trained = {each.implementation for each in found.trainings if each.status == "ok"}
    untrained = [name for name in found.named if name not in trained]
    for name in untrained:
        print_line(f"{abbreviated(name)} was named, and no model was trained with it", stderr=True)
    return 1 if untrained or not trained or any(faults(found)) else 0


def write(found: LearntRun, folder: Path, *, quiet: bool) -> Report | None:
    """Write the data, the page and its charts; None: the packages that draw are not installed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(of_learning(found), indent=1) + "\n"
        (folder / DATA).write_text(text, "utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error
    if drawing.missing():
        return None
    with nullcontext() if quiet else waiting("writing the page and the charts"):
        return learning_page.write(found, folder)
