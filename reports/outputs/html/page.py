"""The report of a run: one HTML file that needs nothing else, and charts as PNG files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.analysis.run_analysis import Analysis
from reports.outputs.folder import unwritable
from reports.outputs.html import assets, table_rows, term_links
from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.contents import Contents, Drawn, contents, is_large
from reports.outputs.html.filters import Filters
from reports.outputs.html.first_screen import unbroken
from reports.outputs.png.formats import DEFAULT, FORMATS, Format
from reports.rows.panels import panels_of
from reports.views import (
    choices,
    limitations,
    machine,
    notes,
    panels,
    statuses,
    terms,
    text,
    verdicts,
)
from reports.views.charts.sizes import keys
from reports.views.evidence import summaries
from reports.views.first_screen import FirstScreen
from reports.views.grids import Grid, agreement_grid, error_grid, memory_grid, time_grid
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.problems import facets
from reports.views.sections import Section
from reports.views.tables import measurement_table, verdict_tables

NAME: Final = "report.html"
_HERE: Final = Path(__file__).parent
MOST_DETAILED: Final = 5000
"""Measurements; with more the charts show medians only, without intervals and texts of points."""
MOST_CELLS: Final = 2500
"""Cells of one grid; further problems are left out, and counted."""
MOST_CHARTS: Final = 40
"""Charts of one family; a third of it where they show medians only, for a page below 7 MB."""
MANY: Final = 6
"""Columns of a grid; one with more has narrow columns, so that it fits a window."""
_FEWER: Final = 3
"""Divides MOST_CHARTS where the charts show medians only."""
FEW: Final = 8
"""Rows of a table; a longer one has a field to find rows."""
LATE: Final = 150
"""Rows of a table; a longer one is laid out when it comes near the window."""
MOST_ANSWERS: Final = 6
"""Sentences of the answer that are shown at first."""
MOST_FAULTS: Final = 3
"""Faults on the first screen; more are counted, and listed further down."""
_SHOWN_NOT_MEASURED: Final = 100
"""Problems of one reason that are listed; more are counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """The files of a report: the page, and the charts in the order of the page."""

    page: Path
    charts: tuple[Path, ...]


def write(
    analysis: Analysis,
    folder: Path,
    *,
    further: Sequence[Section] = (),
    first: FirstScreen | None = None,
    formats: Sequence[Format] = DEFAULT,
) -> Report:
    """Write a run's page and charts into a folder, which is created when it does not exist.

    further  sections besides those of the run
    first    the first screen; by default that of the run
    formats  of the chart files

    Charts of an earlier report in the folder are removed. Raises ValueError with one sentence when
    the folder cannot be written.
    """
    made = contents(analysis, further, first)
    stamp = machine.stamp(analysis.run)
    html, left_over = _page(analysis, made), keys(analysis.plan)
    return saved(html, made.printed, folder, stamp, left_over, formats=formats)


def saved(
    html: str,
    every: Drawn,
    folder: Path,
    stamp: str,
    left_over: Sequence[str] = (),
    *,
    formats: Sequence[Format] = DEFAULT,
) -> Report:
    """Write a page and its charts into a folder; see `write`.

    stamp      machine, date and versions, for the foot of each chart file
    left_over  keys of charts whose files are removed, besides earlier charts by this program
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _left_over(left_over, folder):
            path.unlink(missing_ok=True)
        path = folder / NAME
        path.write_text(html, "utf-8")
        if not every:
            return Report(path, ())
        from reports.outputs.png import files  # noqa: PLC0415 - a page without charts needs no matplotlib

        return Report(path, tuple(files.draw(every, folder, stamp=stamp, formats=formats)))
    except OSError as error:
        raise unwritable(folder, error) from error


def page(analysis: Analysis, *, further: Sequence[Section] = ()) -> str:
    """The whole page as text."""
    return _page(analysis, contents(analysis, further))


def _left_over(own: Sequence[str], folder: Path) -> list[Path]:
    """Charts of an earlier report: those of these keys, and other charts by this program."""
    from reports.outputs.png.files import is_ours  # noqa: PLC0415 - `page` needs no matplotlib

    named = [folder / f"{key}.png" for key in own]
    others = [path for kind in FORMATS for path in folder.glob(f"*.{kind}")]
    return [*named, *filter(is_ours, others)]


def environment(filters: Filters) -> Environment:
    """The templates, with the functions that they use."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "template"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"statuses": statuses, "text": text, "line": text.printable}
    made.globals |= {"short": table_rows.short, "folded": table_rows.folded, "LATE": LATE}
    made.globals |= {"heading": panels.heading, "slug": panels.slug, "facets": facets}
    made.globals |= {"filters": filters, "rows_of": table_rows.body}
    made.globals |= {
        "breakable": table_rows.breakable,
        "is_numeric": table_rows.is_numeric,
        "MANY": MANY,
        "FEW": FEW,
    }
    made.globals |= {"MOST_ANSWERS": MOST_ANSWERS, "MOST_FAULTS": MOST_FAULTS}
    made.globals |= {"unbroken": unbroken}
    made.globals |= {"linked": term_links.linked, "anchor": term_links.anchor}
    made.globals |= {"TERMS": terms.TERMS, "MOST_ROWS": table_rows.MOST_ROWS}
    return made


def _page(analysis: Analysis, made: Contents) -> str:
    top = Section(id="first", heading=made.first.title, charts=made.first.figures)
    filters = Filters(analysis.plan, [top, *made.sections])
    medians_only = len(analysis.measurements) > MOST_DETAILED
    most = max(1, MOST_CHARTS // _FEWER) if medians_only else MOST_CHARTS
    kept, dropped = some_of_each(made.drawn, most)
    return (
        environment(filters)
        .get_template("page.jinja")
        .render(
            run=analysis.run,
            TERMS=terms.of_plan(analysis.plan),
            first=made.first,
            first_figures=_families([chart for chart in kept if chart.key in made.top]),
            limits=_limits(analysis, medians_only=medians_only, dropped=dropped, most=most),
            panels=[
                _panel(analysis, [each for each in kept if each.key in made.in_panels], name)
                for name in panels_of(analysis.plan)
            ],
            verdicts=[(name, table_rows.capped(table)) for name, table in verdict_tables(analysis)],
            concluded=verdicts.conclusions(analysis),
            choices=choices.sentences(analysis)[: table_rows.MOST_ROWS],
            sections=[section_parts(section, kept) for section in made.sections],
            unknown=limitations.sentences(analysis),
            inside=machine.inside_calls(analysis.run, analysis.records),
            measurements=table_rows.capped(measurement_table(analysis)),
            agreement=_grid(agreement_grid(analysis)),
            evidence=summaries(analysis),
            reasons=_reasons(analysis),
            facts=machine.facts(analysis.run, analysis.records),
            **frame(kept, filters, medians_only=medians_only),
        )
    )


def frame(kept: Drawn, filters: Filters, *, medians_only: bool = False) -> dict[str, Any]:
    """What every page has around its content: style, script, and the data of its charts."""
    script = assets.script(with_charts=bool(kept))
    return {
        "drawn": len(kept),
        "chart_data": assets.script_json(chart_data(kept, filters, medians_only=medians_only)),
        "script": script,
        "script_hash": assets.hash_of(script),
        "style": assets.style(),
    }


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


def _panel(analysis: Analysis, drawn: Drawn, name: str) -> dict[str, Any]:
    grids = [make(analysis, panel=name) for make in (time_grid, memory_grid, error_grid)]
    return {
        "name": name,
        "id": panels.slug(name),
        "heading": panels.heading(name),
        "note": panels.note(name),
        "grids": [_grid(grid) for grid in grids if not grid.is_empty],
        "families": _families([chart for chart in drawn if chart.panel == name]),
        "notes": notes.sentences(analysis, panel=name),
    }


def _by_key(drawn: Drawn) -> Iterator[tuple[str, Drawn]]:
    return ((key, list(own)) for key, own in groupby(drawn, lambda chart: chart.key))


def _families(drawn: Drawn) -> list[dict[str, Any]]:
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


def section_parts(section: Section, kept: Drawn) -> dict[str, Any]:
    """A section as its template reads it, with those of its charts that the page shows."""
    own = {chart.key for chart in section.charts}
    return {
        "id": panels.slug(section.id),
        "heading": section.heading,
        "sentences": section.sentences,
        "on_demand": section.on_demand,
        "families": _families([chart for chart in kept if chart.key in own]),
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


def _harmless(value: Any) -> Any:
    """What the template writes: no text of a run reorders, hides or ends the text around it."""
    return text.readable(value) if type(value) is str else value
