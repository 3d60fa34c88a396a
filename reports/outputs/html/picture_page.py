"""The page of one answer and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.outputs.html.contents import Drawn
from reports.outputs.html.filters import Filters
from reports.outputs.html.page import section_parts
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import terms
from reports.views.picture import Picture


def write(
    shown: Picture, folder: Path, name: str, *, formats: Sequence[Format] = DEFAULT
) -> Report:
    """Write the page and its images into a folder. Raises ValueError like `saving.saved`.

    name     of the page
    formats  of the images
    """
    return saved(page(shown), _drawn(shown), folder, shown.stamp, formats=formats, name=name)


def page(shown: Picture) -> str:
    """The whole page as text."""
    drawn, filters = _drawn(shown), Filters()
    return (
        environment(filters)
        .get_template("picture.jinja")
        .render(
            shown=shown,
            sections=[section_parts(section, drawn) for section in shown.sections],
            facts=shown.facts,
            has_axes=False,
            TERMS=terms.of_texts((shown.answer, *shown.notes), ()),
            **frame(drawn, filters),
        )
    )


def _drawn(shown: Picture) -> Drawn:
    return [chart for section in shown.sections for chart in section.charts]
