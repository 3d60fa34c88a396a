"""The page of a recorded script: its time in attention, by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.analysis.call_sites import CallSites
from reports.outputs.html import table_rows
from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import families
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import call_sites as words
from reports.views import terms
from reports.views.charts.call_sites import bar, icicle
from reports.views.charts.chart import Shown
from reports.views.sections import Table
from reports.views.text import capitalized


def write(
    found: CallSites, folder: Path, workload: Path, *, formats: Sequence[Format] = DEFAULT
) -> Report:
    """Write the page and the bar as an image. Raises ValueError like `saving.saved`.

    workload  the file of the script's calls, for commands
    formats   of the image
    """
    printed: Drawn = [bar(found)]
    return saved(page(found, workload), printed, folder, words.stamp(found), formats=formats)


def page(found: CallSites, workload: Path) -> str:
    """The whole page as text."""
    drawn: list[Shown] = [bar(found), icicle(found)]
    tables = _tables(found)
    filters = Filters(None)
    notes = words.notes(found)
    return (
        environment(filters)
        .get_template("script.jinja")
        .render(
            title=words.title(found),
            answer=capitalized(f"{words.headline(found)}."),
            unit=words.unit(found),
            notes=notes,
            commands=words.commands(found, workload),
            bars=families(drawn[:1]),
            icicles=families(drawn[1:]),
            tables=[(name, heading, table_rows.capped(table)) for name, heading, table in tables],
            facts=words.facts(found),
            has_axes=False,
            TERMS=terms.of_texts(notes, [head for *_, table in tables for head in table.head]),
            **frame(drawn, filters),
        )
    )


def _tables(found: CallSites) -> list[tuple[str, str, Table]]:
    """Id, heading and content of each table; the second only where a line has several problems."""
    made = [("lines", "Lines that call attention", words.site_table(found))]
    if len(found.calls) > len(found.sites):
        made.append(("problems", "Problems of each line", words.problem_table(found)))
    return made
