"""The page of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import MOST_CHARTS, section_parts, some_of_each
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import machine
from reports.views.charts.chart import Chart
from reports.views.profile import files, terms
from reports.views.profile import page as views
from reports.views.sections import Section

NAME: Final = "profile.html"


def write(found: ProfiledRun, folder: Path, *, formats: Sequence[Format] = DEFAULT) -> Report:
    """Write the page and its charts into a folder. Raises ValueError like `page.write`.

    formats  of the chart files
    """
    sections = views.sections(found)
    printed = [chart for each in sections if not each.on_demand for chart in each.charts]
    stamp = machine.stamp(found.analysis.run)
    html = _page(found, sections, folder)
    return saved(html, printed, folder, stamp, formats=formats, name=NAME)


def page(found: ProfiledRun, folder: Path) -> str:
    """The whole page as text, with links to the files in its folder."""
    return _page(found, views.sections(found), folder)


def _page(found: ProfiledRun, sections: Sequence[Section], folder: Path) -> str:
    filters = Filters([found.analysis.plan], sections)
    every: Drawn = [chart for section in sections for chart in section.charts]
    kept, _ = some_of_each(every, MOST_CHARTS)
    templates = environment(filters)
    templates.globals["anchor"] = _anchor
    return templates.get_template("profile.jinja").render(
        run=found.analysis.run,
        find="bmm",
        title=views.title(found),
        faults=views.faults(found),
        answers=views.answers(found),
        notes=views.notes(found),
        files=files.of(found, lambda name: (folder / name).exists()),
        has_axes=any(isinstance(chart, Chart) and not chart.rows for chart in kept),
        TERMS=terms.used(sections, (*views.sentences(found), *views.notes(found))),
        facts=machine.facts(found.analysis.run, found.analysis.records),
        sections=[section_parts(section, kept) for section in sections],
        **frame(kept, filters),
    )


def _anchor(head: str) -> str:
    """The id of the definition of a heading; empty without one."""
    term = terms.of_head(head)
    return term.anchor if term else ""
