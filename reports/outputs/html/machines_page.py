"""The page of several machines side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.analysis.machines import Machines, Side
from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import MOST_CHARTS, section_parts, some_of_each
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import machine, machines
from reports.views.panels import slug


def write(found: Machines, folder: Path, *, formats: Sequence[Format] = DEFAULT) -> Report:
    """Write the page and its charts into a folder. Raises ValueError like `page.write`.

    formats  of the chart files
    """
    html, drawn = _page(found)
    stamps = dict.fromkeys(machine.stamp(side.analysis.run) for side in found.sides)
    return saved(html, drawn, folder, "; ".join(stamps), formats=formats)


def page(found: Machines) -> str:
    """The whole page as text."""
    return _page(found)[0]


def side_parts(side: Side) -> dict[str, Any]:
    """The answer of one machine as the template reads it."""
    return {
        "id": f"machine-{slug(side.label.lower())}",
        "name": machines.name(side),
        "faults": machines.faults(side),
        "answers": machines.answers(side),
        "notes": machines.notes(side),
    }


def _page(found: Machines) -> tuple[str, Drawn]:
    sections = machines.sections(found)
    filters = Filters([side.analysis.plan for side in found.sides], sections)
    every: Drawn = [chart for section in sections for chart in section.charts]
    kept, _ = some_of_each(every, MOST_CHARTS)
    html = (
        environment(filters)
        .get_template("machines.jinja")
        .render(
            title=machines.title(found),
            why=machines.WHY,
            not_judged=machines.NOT_JUDGED,
            sides=list(map(side_parts, found.sides)),
            sections=[section_parts(section, kept) for section in sections],
            **frame(kept, filters),
        )
    )
    return html, every
