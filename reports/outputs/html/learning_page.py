"""The page of learning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import MOST_CHARTS, section_parts, some_of_each
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import machine
from reports.views.charts.chart import Chart
from reports.views.learning import page as views
from suites.training import LearntRun

NAME: Final = "learning.html"


def write(found: LearntRun, folder: Path, *, formats: Sequence[Format] = DEFAULT) -> Report:
    """Write the page and its charts into a folder. Raises ValueError like `page.write`.

    formats  of the chart files
    """
    charts: Drawn = [chart for each in views.sections(found) for chart in each.charts]
    stamp = machine.stamp(found.run)
    return saved(page(found), charts, folder, stamp, formats=formats, name=NAME)


def page(found: LearntRun) -> str:
    """The whole page as text."""
    sections = views.sections(found)
    filters = Filters([found.run.plan], sections)
    every: Drawn = [chart for section in sections for chart in section.charts]
    kept, _ = some_of_each(every, MOST_CHARTS)
    return (
        environment(filters)
        .get_template("learning.jinja")
        .render(
            run=found.run,
            title=views.title(found),
            faults=list(views.fault_rows(found)),
            sentences=views.sentences(found),
            notes=views.notes(found),
            data=views.DATA,
            has_axes=any(isinstance(chart, Chart) and not chart.rows for chart in kept),
            TERMS=[],
            facts=machine.machine_facts(found.run.machine, threads=found.run.plan.threads[0]),
            sections=[section_parts(section, kept) for section in sections],
            **frame(kept, filters),
        )
    )
