"""The report of a run: one HTML file that needs nothing else, and charts as PNG files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.outputs.html import table_rows
from reports.outputs.html.contents import Contents, Drawn, contents, is_large
from reports.outputs.html.filters import Filters
from reports.outputs.html.saving import Report, saved
from reports.outputs.html.templates import environment, frame
from reports.outputs.png.formats import DEFAULT, Format
from reports.rows.panels import panels_of
from reports.views import (
    choices,
    left_out,
    limitations,
    machine,
    notes,
    panels,
    terms,
    text,
    verdicts,
)
from reports.views.charts.chart import Shown
from reports.views.charts.sizes import keys
from reports.views.evidence import summaries
from reports.views.first_screen import FirstScreen
from reports.views.grids import (
    Grid,
    agreement_grid,
    error_grid,
    memory_grid,
    read_grid,
    time_grid,
    token_grid,
)
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.sections import Section
from reports.views.stream import stream_grid
from reports.views.tables import measurement_table, verdict_tables

MOST_DETAILED: Final = 5000
"""Measurements; with more the charts show medians only, without intervals and texts of points."""
MOST_CELLS: Final = 2500
"""Cells of one grid; further problems are left out, and counted."""
MOST_CHARTS: Final = 40
"""Charts of one family; a third of it where they show medians only, for a page below 7 MB."""
_FEWER: Final = 3
"""Divides MOST_CHARTS where the charts show medians only."""
_SHOWN_NOT_MEASURED: Final = 100
"""Problems of one reason that are listed; more are counted."""


def write(
    analysis: Analysis,
    folder: Path,
    *,
    further: Sequence[Section] = (),
    first: FirstScreen | None = None,
    formats: Sequence[Format] = DEFAULT,
    profile: Report | None = None,
) -> Report:
    """Write a run's page and charts into a folder, which is created when it does not exist.

    further  sections besides those of the run
    first    the first screen; by default that of the run
    formats  of the chart files
    profile  the page of the run's profiles in the same folder, which is linked

    Charts of an earlier report in the folder are removed. Raises ValueError with one sentence when
    the folder cannot be written.
    """
    made = contents(analysis, further, first)
    stamp = machine.stamp(analysis.run)
    html = _page(analysis, made, profile.page.name if profile else "")
    keep = profile.charts if profile else ()
    return saved(html, made.printed, folder, stamp, keys(analysis.plan), formats=formats, keep=keep)


def page(analysis: Analysis, *, further: Sequence[Section] = ()) -> str:
    """The whole page as text."""
    return _page(analysis, contents(analysis, further))


def _page(analysis: Analysis, made: Contents, profile: str = "") -> str:
    """The page as text; profile: the file of the run's profiles, empty for none."""
    filters = Filters([analysis.plan], [made.top_section, *made.sections])
    kept, parts = run_parts(analysis, made)
    return (
        environment(filters)
        .get_template("page.jinja")
        .render(
            profile=profile,
            TERMS=terms.of_plan(analysis.plan),
            **parts,
            **frame(kept, filters, medians_only=has_medians_only(analysis)),
        )
    )


def run_parts(analysis: Analysis, made: Contents, at: str = "") -> tuple[Drawn, dict[str, Any]]:
    """The charts of a run that a page shows, and all of its parts as the templates read them.

    at  begins the ids of the run's sections, on a page of several runs
    """
    medians_only = has_medians_only(analysis)
    most = max(1, MOST_CHARTS // _FEWER) if medians_only else MOST_CHARTS
    kept, dropped = some_of_each(made.drawn, most)
    in_panels = [each for each in kept if each.key in made.in_panels]
    return kept, {
        "run": analysis.run,
        "first": made.first,
        "first_figures": families([chart for chart in kept if chart.key in made.top]),
        "limits": _limits(analysis, medians_only=medians_only, dropped=dropped, most=most),
        "panels": [_panel(analysis, in_panels, name, at) for name in panels_of(analysis.plan)],
        "verdicts": [(name, table_rows.capped(table)) for name, table in verdict_tables(analysis)],
        "concluded": verdicts.conclusions(analysis),
        "choices": choices.sentences(analysis)[: table_rows.MOST_ROWS],
        "early": [section_parts(each, kept, at) for each in made.sections if each.early],
        "sections": [section_parts(each, kept, at) for each in made.sections if not each.early],
        "unknown": limitations.sentences(analysis),
        "inside": machine.inside_calls(analysis.run, analysis.records),
        "measurements": table_rows.capped(measurement_table(analysis)),
        "agreement": _grid(agreement_grid(analysis)),
        "evidence": summaries(analysis),
        "reasons": _reasons(analysis),
        "slow_starts": left_out.sentence(analysis.plan),
        "not_in_suite": left_out.of_suite(analysis.plan),
        "facts": machine.facts(analysis.run, analysis.records),
    }


def has_medians_only(analysis: Analysis) -> bool:
    """Whether a run has so many measurements that its charts show medians only."""
    return len(analysis.measurements) > MOST_DETAILED


def some_of_each(every: Drawn, most: int) -> tuple[Drawn, int]:
    """The first charts of every family, at most so many, and the number left out."""
    seen: Counter[str] = Counter()
    kept = []
    for chart in every:
        seen[chart.key] += 1
        if seen[chart.key] <= most:
            kept.append(chart)
    return kept, len(every) - len(kept)


def _limits(analysis: Analysis, *, medians_only: bool, dropped: int, most: int) -> list[str]:
    """What the page of a large run leaves out, in sentences; empty for a run that fits."""
    said = []
    count = len(analysis.measurements)
    if is_large(analysis):
        said.append("The further parts, growth among them, are left out of so large a run.")
    if medians_only:
        said.append(f"With {count:,} measurements the charts show medians only, without intervals.")
    if dropped:
        said.append(
            f"{text.counted(dropped, 'chart')} left out: the first {most} of each kind are here."
        )
    return said


def _panel(analysis: Analysis, drawn: Drawn, name: str, at: str) -> dict[str, Any]:
    kinds = (time_grid, token_grid, stream_grid, memory_grid, read_grid, error_grid)
    grids = [make(analysis, panel=name) for make in kinds]
    return {
        "name": name,
        "id": f"{at}{panels.slug(name)}",
        "heading": panels.heading(name),
        "note": panels.note(name),
        "grids": [_grid(grid) for grid in grids if not grid.is_empty],
        "families": families([chart for chart in drawn if chart.panel == name]),
        "notes": notes.sentences(analysis, panel=name),
    }


def _by_key(drawn: Sequence[Shown]) -> Iterator[tuple[str, list[Shown]]]:
    return ((key, list(own)) for key, own in groupby(drawn, lambda chart: chart.key))


def families(drawn: Sequence[Shown]) -> list[dict[str, Any]]:
    """The families of charts as the templates read them."""
    return [
        {
            "key": key,
            "id": f"chart-{panels.slug(key).replace('_', '-')}",
            "charts": family,
            "opens": max(range(len(family)), key=lambda place: family[place].richness),
        }
        for key, family in _by_key(drawn)
    ]


def _grid(grid: Grid) -> dict[str, Any]:
    """A grid and as many of its rows as a page shows."""
    most = max(1, MOST_CELLS // max(1, len(grid.columns)))
    left = table_rows.left_out(len(grid.rows), most, "problem")
    return {"grid": grid, "rows": grid.rows[:most], "left_out": left}


def section_parts(section: Section, kept: Drawn, at: str = "") -> dict[str, Any]:
    """A section as its template reads it, with those of its charts that the page shows."""
    own = {chart.key for chart in section.charts}
    return {
        "id": f"{at}{panels.slug(section.id)}",
        "heading": section.heading,
        "sentences": section.sentences,
        "on_demand": section.on_demand,
        "families": families([chart for chart in kept if chart.key in own]),
        "tables": [table_rows.capped(table) for table in section.tables],
    }


def _reasons(analysis: Analysis) -> list[dict[str, Any]]:
    """What has no time, state by state, the most severe first."""
    return [
        {"status": status, "rows": list(map(_reason, group))}
        for status, group in groupby(not_measured(analysis), lambda row: row.status)
    ]


def _reason(row: NotMeasured) -> dict[str, Any]:
    shown = row.problems[:_SHOWN_NOT_MEASURED]
    return {"row": row, "shown": shown, "left": row.count - len(shown)}
