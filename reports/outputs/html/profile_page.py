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
from reports.views.profile import page as views

NAME: Final = "profile.html"


def write(found: ProfiledRun, folder: Path, *, formats: Sequence[Format] = DEFAULT) -> Report:
    """Write the page and its charts into a folder. Raises ValueError like `page.write`.

    formats  of the chart files
    """
    html, drawn = _page(found)
    stamp = machine.stamp(found.analysis.run)
    return saved(html, drawn, folder, stamp, formats=formats, name=NAME)


def page(found: ProfiledRun) -> str:
    """The whole page as text."""
    return _page(found)[0]


def _page(found: ProfiledRun) -> tuple[str, Drawn]:
    sections = views.sections(found)
    filters = Filters(found.analysis.plan, sections)
    every: Drawn = [chart for section in sections for chart in section.charts]
    kept, _ = some_of_each(every, MOST_CHARTS)
    html = (
        environment(filters)
        .get_template("profile.jinja")
        .render(
            title=views.title(found),
            sentences=views.sentences(found),
            facts=machine.facts(found.analysis.run, found.analysis.records),
            sections=[section_parts(section, kept) for section in sections],
            **frame(kept, filters),
        )
    )
    return html, every
