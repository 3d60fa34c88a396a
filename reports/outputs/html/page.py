"""The report of a run: one HTML file that needs nothing else, and charts as PNG files."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports.analysis.run_analysis import Analysis
from reports.outputs.folder import unwritable
from reports.outputs.html import table_rows, term_links
from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.filters import Filters
from reports.rows.panels import panels_of
from reports.views import (
    answer,
    choices,
    headline,
    limitations,
    machine,
    notes,
    overview,
    panels,
    parts,
    statuses,
    terms,
    text,
    verdicts,
)
from reports.views.charts.chart import Chart, Map
from reports.views.charts.sizes import charts, keys
from reports.views.evidence import summaries
from reports.views.grids import Grid, agreement_grid, error_grid, memory_grid, time_grid
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.problems import facets
from reports.views.sections import Section
from reports.views.tables import measurement_table, verdict_tables

NAME: Final = "report.html"
_HERE: Final = Path(__file__).parent
STYLES: Final = (
    "base.css",
    "controls.css",
    "charts.css",
    "tables.css",
    "terms.css",
    "files.css",
    "machine.css",
    "print.css",
)
"""Style sheets in the order they apply in."""
SCRIPTS: Final = (
    "state.js",
    "charts.js",
    "tables.js",
    "terms.js",
    "files.js",
    "images.js",
    "paper.js",
    "controls.js",
)
"""Parts of one script: each uses what those before it define."""
MOST_DETAILED: Final = 5000
"""Measurements; with more the charts show medians only, without intervals and texts of points."""
MOST_ANALYSED: Final = 10_000
"""Measurements; with more the further parts are left out, because they take minutes."""
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
_SHOWN_NOT_MEASURED: Final = 100
"""Problems of one reason that are listed; more are counted."""

Drawn = list[Chart | Map]


@dataclass(frozen=True, slots=True)
class Report:
    """The files of a report: the page, and the charts in the order of the page."""

    page: Path
    charts: tuple[Path, ...]


def write(analysis: Analysis, folder: Path, *, further: Sequence[Section] = ()) -> Report:
    """Write a run's page and charts into a folder, which is created when it does not exist.

    further  sections besides those of the run

    Charts of an earlier report in the folder are removed. Raises ValueError with one sentence when
    the folder cannot be written.
    """
    sections = collected(analysis, further)
    drawn = charts(analysis)
    html = _page(analysis, drawn, sections)
    every: Drawn = [*drawn, *(chart for section in sections for chart in section.charts)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _left_over(analysis, folder):
            path.unlink(missing_ok=True)
        path = folder / NAME
        path.write_text(html, "utf-8")
        if not every:
            return Report(path, ())
        from reports.outputs.png import files  # noqa: PLC0415 - a page without charts needs no matplotlib

        return Report(path, tuple(files.draw(every, folder)))
    except OSError as error:
        raise unwritable(folder, error) from error


def page(analysis: Analysis, *, further: Sequence[Section] = ()) -> str:
    """The whole page as text."""
    return _page(analysis, charts(analysis), collected(analysis, further))


def collected(analysis: Analysis, further: Sequence[Section] = ()) -> list[Section]:
    """The further sections, and the parts of the page unless the run is too large."""
    if len(analysis.measurements) > MOST_ANALYSED:
        return list(further)
    return [*further, *parts.sections(analysis)]


def _left_over(analysis: Analysis, folder: Path) -> list[Path]:
    """Charts of an earlier report: those of this run's names, and other charts by this program."""
    from reports.outputs.png.files import is_ours  # noqa: PLC0415 - `page` needs no matplotlib

    named = [folder / f"{key}.png" for key in keys(analysis.plan)]
    return [*named, *(path for path in folder.glob("*.png") if is_ours(path))]


def _page(analysis: Analysis, drawn: list[Chart], sections: list[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "template"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = Filters(analysis.plan, sections)
    every: Drawn = [*drawn, *(chart for section in sections for chart in section.charts)]
    medians_only = len(analysis.measurements) > MOST_DETAILED
    most = max(1, MOST_CHARTS // _FEWER) if medians_only else MOST_CHARTS
    kept, dropped = _some_of_each(every, most)
    script = _script(kept)
    data = chart_data(kept, filters, medians_only=medians_only)
    environment.globals |= {"statuses": statuses, "text": text, "line": text.printable}
    environment.globals |= {"short": table_rows.short, "folded": table_rows.folded, "LATE": LATE}
    environment.globals |= {"heading": panels.heading, "slug": panels.slug, "facets": facets}
    environment.globals |= {"filters": filters, "rows_of": table_rows.body}
    environment.globals |= {
        "breakable": table_rows.breakable,
        "is_numeric": table_rows.is_numeric,
        "MANY": MANY,
        "FEW": FEW,
    }
    environment.globals |= {"linked": term_links.linked, "anchor": term_links.anchor}
    environment.globals |= {"TERMS": terms.TERMS, "MOST_ROWS": table_rows.MOST_ROWS}
    return environment.get_template("page.jinja").render(
        run=analysis.run,
        measured_on=machine.measured_on(analysis.run),
        summary=overview.sentences(analysis),
        title=headline.title(analysis),
        preamble=headline.preamble(analysis),
        faults=headline.faults(analysis),
        answers=answer.sentences(analysis),
        limits=_limits(analysis, medians_only=medians_only, dropped=dropped, most=most),
        panels=[_panel(analysis, kept, name) for name in panels_of(analysis.plan)],
        verdicts=[(name, table_rows.capped(table)) for name, table in verdict_tables(analysis)],
        concluded=verdicts.conclusions(analysis),
        choices=choices.sentences(analysis)[: table_rows.MOST_ROWS],
        sections=[_section(section, kept) for section in sections],
        unknown=limitations.sentences(analysis),
        inside=machine.inside_calls(analysis.run, analysis.records),
        measurements=table_rows.capped(measurement_table(analysis)),
        agreement=_grid(agreement_grid(analysis)),
        evidence=summaries(analysis),
        reasons=_reasons(analysis),
        facts=machine.facts(analysis.run, analysis.records),
        drawn=len(kept),
        chart_data=_script_json(data),
        script=script,
        script_hash=_hash(script),
        style=Markup(_joined("style", STYLES)),  # noqa: S704 - our own files
    )


def _some_of_each(every: Drawn, most: int) -> tuple[Drawn, int]:
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
    if count > MOST_ANALYSED:
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
    own = set(keys(analysis.plan))
    return {
        "name": name,
        "id": panels.slug(name),
        "heading": panels.heading(name),
        "note": panels.note(name),
        "grids": [_grid(grid) for grid in grids if not grid.is_empty],
        "families": _families([c for c in drawn if c.panel == name and c.key in own]),
        "notes": notes.sentences(analysis, panel=name),
    }


def _families(drawn: Drawn) -> list[dict[str, Any]]:
    return [
        {"key": key, "id": f"chart-{panels.slug(key).replace('_', '-')}", "charts": list(family)}
        for key, family in groupby(drawn, lambda chart: chart.key)
    ]


def _grid(grid: Grid) -> dict[str, Any]:
    """A grid and as many of its rows as a page shows."""
    most = max(1, MOST_CELLS // max(1, len(grid.columns)))
    left = table_rows.left_out(len(grid.rows), most, "problem")
    return {"grid": grid, "rows": grid.rows[:most], "left_out": left}


def _section(section: Section, kept: Drawn) -> dict[str, Any]:
    own = {chart.key for chart in section.charts}
    return {
        "id": panels.slug(section.id),
        "heading": section.heading,
        "sentences": section.sentences,
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


def _hash(script: str) -> str:
    """The hash of the script in the page's policy, so that no other script runs."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"


def _script_json(data: Mapping[str, Any]) -> Markup:
    """Data for a script element: no character in it can end the element."""
    encoded = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return Markup(encoded)  # noqa: S704 - the three characters that HTML reads are escaped


def _script(drawn: Drawn) -> Markup:
    """The script of the page, after the chart library where there is a chart."""
    library = get_plotlyjs().replace("</script", "<\\/script") if drawn else ""
    own = _joined("script", SCRIPTS)
    return Markup(f'{library}\n"use strict";\n(() => {{\n{own}}})();\n')  # noqa: S704 - our own files


def _joined(folder: str, names: Sequence[str]) -> str:
    return "\n".join((_HERE / folder / name).read_text("utf-8") for name in names)
