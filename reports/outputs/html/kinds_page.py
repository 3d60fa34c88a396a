"""The page of a run over several kinds of machine: what they share, then the parts of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from reports.analysis.machines import Machines, Side
from reports.outputs.html.contents import Contents, Drawn, contents
from reports.outputs.html.filters import Filters
from reports.outputs.html.machines_page import side_parts
from reports.outputs.html.page import (
    MOST_CHARTS,
    has_medians_only,
    run_parts,
    section_parts,
    some_of_each,
)
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.views import machine, machine_kinds, machines, panels

_TAKEN: Final = "machines"
"""Begins the keys of charts of all machines."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One machine with the contents of its part of the page.

    slug  the kind of machine within ids and file names; no other part has it
    """

    side: Side
    slug: str
    made: Contents


def write(
    name: str, found: Machines, folder: Path, *, formats: Sequence[Format] = DEFAULT
) -> Report:
    """Write the page and the charts of each machine, whose files begin with the kind of machine.

    name     of the group
    formats  of the chart files

    Raises ValueError like `page.write`.
    """
    parts = _parts(found)
    stamps = {part.slug: machine.stamp(part.side.run) for part in parts}
    return saved(
        _page(name, found, parts),
        _shared(found),
        folder,
        "; ".join(dict.fromkeys(stamps.values())),
        formats=formats,
        further=[(part.made.printed, stamps[part.slug]) for part in parts],
    )


def page(name: str, found: Machines) -> str:
    """The whole page as text."""
    return _page(name, found, _parts(found))


def _parts(found: Machines) -> list[_Part]:
    made: list[_Part] = []
    for number, side in enumerate(found.sides, 1):
        slug = panels.slug(side.label) or "machine"
        if slug.lower() in (_TAKEN, *(other.slug.lower() for other in made)):
            slug = f"{slug}-{number}"
        made.append(_Part(side, slug, contents(side.analysis, ()).keyed(f"{slug}_")))
    return made


def _shared(found: Machines) -> Drawn:
    return [chart for section in machine_kinds.sections(found) for chart in section.charts]


def _page(name: str, found: Machines, parts: Sequence[_Part]) -> str:
    sections = machine_kinds.sections(found)
    own = [section for p in parts for section in (p.made.top_section, *p.made.sections)]
    filters = Filters([side.analysis.plan for side in found.sides], [*sections, *own])
    kept, _ = some_of_each(_shared(found), MOST_CHARTS)
    drawn, made = list(kept), []
    templates = environment(filters)
    for part in parts:
        at = f"on-{part.slug}-"
        charts, of_run = run_parts(part.side.analysis, part.made, at)
        drawn += charts
        html = templates.get_template("kind.jinja").render(
            at=at,
            whose=f"{part.side.label}: ",
            of=Markup(' <span class="of">{}</span>').format(part.side.label),
            label=machines.name(part.side),
            profile="",
            **of_run,
        )
        made.append({"id": f"{at}part", "label": part.side.label, "html": Markup(html)})  # noqa: S704 - a template with escaping made it
    return templates.get_template("kinds.jinja").render(
        name=name,
        title=machine_kinds.title(found),
        sides=[{**side_parts(part.side), "id": f"on-{part.slug}-summary"} for part in parts],
        sections=[section_parts(section, kept) for section in sections],
        parts=made,
        **frame(
            drawn,
            filters,
            medians_only=any(has_medians_only(side.analysis) for side in found.sides),
        ),
    )
