"""The page of a recorded script: its time in attention, by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reports.analysis.call_sites import CallSites
from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import section_parts
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import terms
from reports.views.charts.call_sites import bar, icicle
from reports.views.charts.chart import Icicle
from reports.views.scripts import rest, sentences
from reports.views.scripts.names import title
from reports.views.scripts.notes import notes
from reports.views.scripts.tables import problem_table, site_table
from reports.views.sections import Section
from reports.views.text import capitalized


def write(
    found: CallSites, folder: Path, workload: Path, *, formats: Sequence[Format] = DEFAULT
) -> Report:
    """Write the page and the bar as an image. Raises ValueError like `saving.saved`.

    workload  the file of the script's calls, for commands
    formats   of the image
    """
    html, drawn = _page(found, workload)
    bars: Drawn = [chart for chart in drawn if not isinstance(chart, Icicle)]
    return saved(html, bars, folder, sentences.stamp(found), formats=formats)


def page(found: CallSites, workload: Path) -> str:
    """The whole page as text."""
    return _page(found, workload)[0]


def _page(found: CallSites, workload: Path) -> tuple[str, Drawn]:
    sections = list(_sections(found))
    drawn: Drawn = [chart for section in sections for chart in section.charts]
    said = notes(found)
    heads = [head for each in sections for table in each.tables for head in table.head]
    filters = Filters()
    html = (
        environment(filters)
        .get_template("script.jinja")
        .render(
            title=title(found),
            answer=capitalized(f"{sentences.headline(found)}."),
            notes=said,
            sections=[section_parts(section, drawn) for section in sections],
            commands=sentences.commands(found, workload),
            facts=sentences.facts(found),
            has_axes=False,
            TERMS=terms.of_texts(said, heads),
            **frame(drawn, filters),
        )
    )
    return html, drawn


def _sections(found: CallSites) -> Iterator[Section]:
    """Bar and table by line, the icicle, and the table of problems where a line has several."""
    yield Section("lines", "Time by line", charts=(bar(found),), tables=(site_table(found),))
    yield from rest.sections(found)
    heading = f"From {sentences.one(found)} to the problem"
    yield Section("icicle", heading, charts=(icicle(found),))
    if len(found.calls) > len(found.sites):
        yield Section("problems", "Problems of each line", tables=(problem_table(found),))
