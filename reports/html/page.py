"""The report of a run: one HTML file that needs nothing else, and charts as PNG files."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports import words
from reports.analysis import Analysis
from reports.drawing.charts import charts, files
from reports.drawing.series import Chart, Map
from reports.evidence import evidence
from reports.folder import unwritable
from reports.html import page_tables, summary
from reports.html.chart_data import chart_data
from reports.html.filters import Filters
from reports.judging import choices, unknowns, verdict_words
from reports.machine import facts
from reports.panels import heading, note, panels_of, slug
from reports.printing.grids import (
    CAPTIONS,
    Grid,
    agreement_grid,
    error_grid,
    memory_grid,
    time_grid,
)
from reports.sections import Section, facets
from reports.sessions import inside_words
from suites.records.store import Run

NAME: Final = "report.html"
_HERE: Final = Path(__file__).parent
MOST_DETAILED: Final = 5000
"""With more measurements the charts show medians only: no intervals, nothing said of a point."""
MOST_ANALYSED: Final = 10_000
"""With more measurements growth, crossovers and trade-offs are left out: they take minutes."""
MOST_CELLS: Final = 2500
"""Of one grid; the problems that do not fit are left out, and told."""
MOST_CHARTS: Final = 40
"""Of one family; of fewer where the charts show medians only, so that a page stays below 7 MB."""
_FEWER: Final = 3
"""One of so many is left then."""
LATE: Final = 150
"""Rows: a longer table is laid out when it comes near the window."""

Drawn = list[Chart | Map]


@dataclass(frozen=True, slots=True)
class Report:
    """Where a report was written: the page, and the charts in the order of the page."""

    page: Path
    charts: tuple[Path, ...]


def write(analysis: Analysis, folder: Path) -> Report:
    """Write a run's page and charts into a folder, which is made when it is not there.

    Charts that an earlier report left there go. Raises ValueError with one sentence when the
    folder cannot be written.
    """
    sections = collected(analysis)
    drawn = charts(analysis)
    text = _page(analysis, drawn, sections)
    every: Drawn = [*drawn, *(chart for section in sections for chart in section.charts)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _left_over(analysis, folder):
            path.unlink(missing_ok=True)
        path = folder / NAME
        path.write_text(text, "utf-8")
        if not every:
            return Report(path, ())
        from reports.drawing import png  # noqa: PLC0415 - matplotlib, which a page without charts needs not

        return Report(path, tuple(png.draw(every, folder)))
    except OSError as error:
        raise unwritable(folder, error) from error


def page(analysis: Analysis) -> str:
    """The whole page as text."""
    return _page(analysis, charts(analysis), collected(analysis))


def collected(analysis: Analysis) -> list[Section]:
    """What further analyses have to show, each a part of its own; nothing of too large a run."""
    if len(analysis.measurements) > MOST_ANALYSED:
        return list(analysis.further)
    from reports.choosing.section import sections  # noqa: PLC0415 - numerics that pages alone need
    from reports.growth.section import section  # noqa: PLC0415 - likewise

    growth = section(analysis)
    return [*analysis.further, *([growth] if growth else []), *sections(analysis)]


def _left_over(analysis: Analysis, folder: Path) -> list[Path]:
    """Charts of an earlier report: those of this run's names, and whatever says it is ours."""
    from reports.drawing.png import is_ours  # noqa: PLC0415 - matplotlib, which `page` alone needs not

    named = [folder / name for name in files(analysis.plan)]
    return [*named, *(path for path in folder.glob("*.png") if is_ours(path))]


def _page(analysis: Analysis, drawn: list[Chart], sections: list[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
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
    environment.globals |= {"words": words, "line": words.printable, "facets": facets}
    environment.globals |= {"short": page_tables.short, "folded": page_tables.folded, "LATE": LATE}
    environment.globals |= {"heading": heading, "slug": slug, "captions": CAPTIONS}
    environment.globals |= {"filters": filters, "rows_of": page_tables.body}
    return environment.get_template("page.html.jinja").render(
        run=analysis.run,
        measured_on=_measured_on(analysis.run),
        summary=summary_sentences(analysis),
        found=summary.sentences(analysis),
        limits=_limits(analysis, medians_only=medians_only, dropped=dropped, most=most),
        panels=[_panel(analysis, kept, name) for name in panels_of(analysis.plan)],
        verdicts=list(page_tables.verdict_tables(analysis)),
        concluded=verdict_words.summary_sentences(analysis),
        choices=choices.sentences(analysis)[: page_tables.MOST_ROWS],
        sections=[_section(section, kept) for section in sections],
        unknown=unknowns.sentences(analysis),
        inside=inside_words(analysis.run, analysis.records),
        measurements=page_tables.measurement_table(analysis),
        agreement=_problems(agreement_grid(analysis)),
        evidence=evidence(analysis),
        reasons=_reasons(analysis),
        facts=facts(analysis.run, analysis.records),
        drawn=len(kept),
        chart_data=_script_json(data),
        script=script,
        script_hash=_hash(script),
        style=Markup((_HERE / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
    )


def _some_of_each(every: Drawn, most: int) -> tuple[Drawn, int]:
    """The first charts of every family, so many at most, and how many are left out."""
    seen: Counter[str] = Counter()
    kept = []
    for chart in every:
        seen[chart.key] += 1
        if seen[chart.key] <= most:
            kept.append(chart)
    return kept, len(every) - len(kept)


def _limits(analysis: Analysis, *, medians_only: bool, dropped: int, most: int) -> list[str]:
    """What a page of so large a run leaves out, in sentences; none for a run that fits."""
    said = []
    count = len(analysis.measurements)
    if count > MOST_ANALYSED:
        said.append("Growth, crossovers and trade-offs are left out of so large a run.")
    if medians_only:
        said.append(f"With {count:,} measurements the charts show medians only, without intervals.")
    if dropped:
        said.append(
            f"{words.counted(dropped, 'chart')} left out: the first {most} of each kind are here."
        )
    return said


def _measured_on(run: Run) -> str:
    """The machine in a few words, which need not be the reader's own."""
    cores, system = run.machine.get("cores"), run.machine.get("os")
    parts = [
        str(run.machine.get("cpu") or "a machine that told nothing of itself"),
        words.counted(cores, "core") if isinstance(cores, int) else "",
        str(system or ""),
    ]
    return f"Measured on {', '.join(filter(None, parts))}; every figure is of that machine."


def summary_sentences(analysis: Analysis) -> list[str]:
    """The run in a few sentences of fact."""
    ended = analysis.outcomes
    timed = [row for row in ended if row["timed"]]
    asked = words.counted(len(analysis.plan.problems), "problem")
    whole = words.counted(len(analysis.plan.entries), "implementation")
    sentences = [f"{whole} on {asked}: {_census(analysis.run, ended)}."]
    if timed:
        sessions = _sessions(analysis)
        names = len({row["implementation"] for row in timed})
        problems = len({row["problem"] for row in timed})
        sentences.append(
            f"{words.counted(names, 'implementation')} measured on "
            f"{words.counted(problems, 'problem')} in {sessions}."
        )
        sentences.append(
            "The spread of a time reaches from the smallest to the largest session median; "
            "verdicts are drawn from pairs within a session instead."
        )
    elif analysis.plan.sessions:
        sentences.append(f"{words.NO_TIMES} The reasons are below.")
    else:
        sentences.append("This run checks agreement and takes no times.")
    if analysis.unfinished:
        sentences.append(
            "The run was interrupted, or is still being written: what it had not reached is listed "
            "below."
        )
    return sentences


def _sessions(analysis: Analysis) -> str:
    """How many sessions have times, and how many there could have been."""
    made = len({record.session for record in analysis.records if record.times_ms})
    planned = len(analysis.plan.session_numbers)
    return words.counted(made, "session") + (f" of {planned} at most" if made < planned else "")


def _census(run: Run, ended: list[dict[str, Any]]) -> str:
    """How the answers ended, each status with its count."""
    checked = run.plan.sessions == 0
    states = Counter("timed" if row["timed"] else row["status"] for row in ended)
    parts = [f"{states['timed']} of {words.counted(len(ended), 'answer')} timed"]
    if checked:
        parts = [f"{states['ok']} of {words.counted(len(ended), 'answer')} agree"]
    elif states["ok"]:
        parts.append(f"{states['ok']} agreeing but not timed")
    named = (state for state in words.STATUS_WORDS if state != "ok" and states[state])
    return ", ".join([*parts, *(f"{states[each]} {words.STATUS_WORDS[each]}" for each in named)])


def _panel(analysis: Analysis, drawn: Drawn, name: str) -> dict[str, Any]:
    makers = (time_grid, memory_grid, error_grid)
    grids: list[Grid] = [make(analysis, panel=name) for make in makers]
    own = [chart for chart in drawn if chart.panel == name and chart.key in _keys(analysis)]
    return {
        "name": name,
        "id": slug(name),
        "heading": heading(name),
        "note": note(name),
        "grids": [_problems(grid) for grid in grids if not grid.is_empty],
        "families": _families(own),
    }


def _keys(analysis: Analysis) -> set[str]:
    """Of the families that stand with a panel; others stand in the section that made them."""
    return {name.removesuffix(".png") for name in files(analysis.plan)}


def _families(drawn: Drawn) -> list[dict[str, Any]]:
    return [
        {"key": key, "id": f"chart-{slug(key).replace('_', '-')}", "charts": list(family)}
        for key, family in groupby(drawn, lambda chart: chart.key)
    ]


def _problems(grid: Grid) -> dict[str, Any]:
    """A grid and as many of its rows as a page holds."""
    most = max(1, MOST_CELLS // max(1, len(grid.columns)))
    rows = [
        {"problem": problem, "shown": grid.label(problem), "cells": cells}
        for problem, cells in grid.rows[:most]
    ]
    left = page_tables.left_out(len(grid.rows), most, "problem")
    return {"grid": grid, "rows": rows, "left_out": left}


def _section(section: Section, kept: Drawn) -> dict[str, Any]:
    keys = {chart.key for chart in section.charts}
    return {
        "id": slug(section.id),
        "heading": section.heading,
        "sentences": section.sentences,
        "families": _families([chart for chart in kept if chart.key in keys]),
        "tables": [page_tables.capped(table) for table in section.tables],
    }


def _reasons(analysis: Analysis) -> list[dict[str, Any]]:
    """What has no time, status by status, the gravest first."""
    rows = analysis.not_measured
    return [
        {"status": status, "rows": page_tables.reason_rows(group)}
        for status, group in groupby(rows, lambda row: row["status"])
    ]


def _harmless(value: Any) -> Any:
    """What the template writes: no text of a run reorders, hides or ends what stands around it."""
    return words.readable(value) if type(value) is str else value


def _hash(script: str) -> str:
    """What the page's policy knows our script by, so that no other runs."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"


def _script_json(data: Mapping[str, Any]) -> Markup:
    """Data for a script element: no character in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - the three characters that HTML reads are escaped


def _script(drawn: Drawn) -> Markup:
    """Our own script, and the chart library where there is a chart."""
    library = get_plotlyjs().replace("</script", "<\\/script") if drawn else ""
    return Markup(library + "\n" + (_HERE / "page.js").read_text("utf-8"))  # noqa: S704
