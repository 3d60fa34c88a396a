"""The report of a run: one HTML file that needs nothing else, and charts as PNG files."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from reports import choices, unknowns, verdict_words, words
from reports.analysis import Analysis
from reports.charts import charts, files
from reports.differences import interleaved_command
from reports.evidence import evidence
from reports.folder import unwritable
from reports.grids import CAPTIONS, Grid, agreement_grid, error_grid, memory_grid, time_grid
from reports.machine import facts
from reports.panels import heading, note, panels_of, slug
from reports.series import Chart, Series
from reports.sessions import inside_words
from suites.records.plan import Entry, Plan
from suites.records.store import Run

NAME: Final = "report.html"
_HERE: Final = Path(__file__).parent


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
    text, drawn = page(analysis), charts(analysis)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files(analysis.plan):
            (folder / name).unlink(missing_ok=True)
        path = folder / NAME
        path.write_text(text, "utf-8")
        if not drawn:
            return Report(path, ())
        from reports import png  # noqa: PLC0415 - matplotlib, which a page without charts needs not

        return Report(path, tuple(png.draw(drawn, folder)))
    except OSError as error:
        raise unwritable(folder, error) from error


def page(analysis: Analysis) -> str:
    """The whole page as text."""
    drawn = charts(analysis)
    entries = {entry.name: entry for entry in analysis.plan.entries}
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "told": verdict_words, "line": words.printable}
    environment.globals |= {"short": short, "folded": folded}
    environment.globals |= {"heading": heading, "slug": slug, "captions": CAPTIONS}
    script = _script(drawn)
    return environment.get_template("page.html.jinja").render(
        run=analysis.run,
        summary=summary_sentences(analysis),
        panels=[_panel(analysis, drawn, name) for name in panels_of(analysis.plan)],
        verdicts=_verdicts(analysis, entries),
        several=len(analysis.plan.threads) > 1,
        concluded=verdict_words.summary_sentences(analysis),
        choices=choices.sentences(analysis),
        unknown=unknowns.sentences(analysis),
        inside=inside_words(analysis.run, analysis.records),
        rows=[_row(row, analysis.plan, entries) for row in analysis.measurements],
        agreement=agreement_grid(analysis),
        evidence=evidence(analysis),
        reasons=_reasons(analysis),
        facts=facts(analysis.run, analysis.records),
        chart_data=_script_json(_chart_data(drawn)),
        script=script,
        script_hash=_hash(script),
        style=Markup((_HERE / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
    )


def summary_sentences(analysis: Analysis) -> list[str]:
    """The run in a few sentences of fact."""
    ended = analysis.outcomes
    timed = [row for row in ended if row["timed"]]
    asked = words.counted(len(analysis.plan.problems), "problem")
    whole = words.counted(len(analysis.plan.entries), "implementation")
    sentences = [f"{whole} on {asked}: {_census(analysis.run, ended)}."]
    if timed:
        sessions = words.counted(analysis.plan.sessions, "session")
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
        sentences.append("Nothing was measured in this run; the reasons are below.")
    else:
        sentences.append("This run checks agreement and takes no times.")
    if analysis.unfinished:
        sentences.append("The run was interrupted: what it had not reached is listed below.")
    return sentences


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


def _panel(analysis: Analysis, drawn: list[Chart], name: str) -> dict[str, Any]:
    makers = (time_grid, memory_grid, error_grid)
    grids: list[Grid] = [make(analysis, panel=name) for make in makers]
    families = [
        {"key": key, "id": key.replace("_", "-"), "charts": list(family)}
        for key, family in groupby(
            (chart for chart in drawn if chart.panel == name), lambda chart: chart.key
        )
    ]
    return {
        "name": name,
        "id": slug(name),
        "heading": heading(name),
        "note": note(name),
        "grids": [grid for grid in grids if not grid.is_empty],
        "families": families,
    }


def _row(row: dict[str, Any], plan: Plan, entries: dict[str, Entry]) -> dict[str, Any]:
    command = words.repeat_command(row["problem"], entries[row["implementation"]])
    return {**row, "command": command + words.setting_options(plan, row["threads"])}


def _verdicts(analysis: Analysis, entries: dict[str, Entry]) -> dict[str, list[dict[str, Any]]]:
    """The comparisons of each panel that has any, with the command that makes each again."""
    rows = analysis.verdicts
    found = {
        name: [_compared(row, analysis.plan, entries) for row in rows if row["panel"] == name]
        for name in panels_of(analysis.plan)
    }
    return {name: own for name, own in found.items() if own}


def _compared(row: dict[str, Any], plan: Plan, entries: dict[str, Entry]) -> dict[str, Any]:
    command = interleaved_command(
        row["problem"],
        entries[row["baseline"]],
        entries[row["implementation"]],
        sessions=plan.sessions,
    )
    return {**row, "command": command + words.setting_options(plan, row["threads"])}


def _reasons(analysis: Analysis) -> list[dict[str, Any]]:
    """What has no time, status by status, the gravest first."""
    rows = analysis.not_measured
    return [
        {"status": status, "rows": list(group)}
        for status, group in groupby(rows, lambda row: row["status"])
    ]


def _chart_data(drawn: list[Chart]) -> dict[str, Any]:
    """The charts for the page's script; what is said of a point is held once for all charts."""
    hovers: dict[str, int] = {}
    families = {
        key: [_one_chart(chart, hovers) for chart in family]
        for key, family in groupby(drawn, lambda chart: chart.key)
    }
    return {"families": families, "hovers": [chart_text(text) for text in hovers]}


def _one_chart(chart: Chart, hovers: dict[str, int]) -> dict[str, Any]:
    return {
        "alt": words.printable(chart.alt),
        "note": words.printable(chart.note),
        "x": chart.x_title,
        "y": chart.y_title,
        "logX": chart.log_x,
        "logY": chart.log_y,
        "series": [_series_data(series, hovers) for series in chart.series],
    }


def _series_data(series: Series, hovers: dict[str, int]) -> dict[str, Any]:
    return {
        "name": chart_text(words.abbreviated(series.name)),
        "x": series.x,
        "y": _rounded(series.y),
        "low": _rounded(series.low),
        "high": _rounded(series.high),
        "hover": [hovers.setdefault(text, len(hovers)) for text in series.hover],
        "colours": [series.look.light, series.look.dark],
        "marker": series.look.marker,
        "line": series.look.line,
    }


def _rounded(values: Iterable[float]) -> list[float]:
    """To six digits: more than a screen shows, and a third of the bytes."""
    return [float(f"{value:.6g}") for value in values]


def chart_text(text: str) -> str:
    """The text for the chart library, which would read tags, entities and formulas in it."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("$", "&#36;").replace("\n", "<br>")


def short(text: str) -> Markup:
    """A name, abbreviated where it is long; the whole of it is its title."""
    told, line = words.abbreviated(text), words.printable(text)
    if told == line:
        return escape(told)
    return Markup('<span title="{}">{}</span>').format(line, told)


def folded(text: str) -> Markup:
    """A text of any length: a long one is folded, and opens to the whole of it."""
    whole = words.readable(text)
    if len(whole) <= words.LONGEST_TEXT:
        return escape(whole)
    some = words.abbreviated(text, words.LONGEST_TEXT // 3)
    unfold = Markup("<details><summary>{}</summary>{}</details>")
    return unfold.format(some, whole)


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


def _script(drawn: list[Chart]) -> Markup:
    """Our own script, and the chart library where there is a chart."""
    library = get_plotlyjs().replace("</script", "<\\/script") if drawn else ""
    return Markup(library + "\n" + (_HERE / "page.js").read_text("utf-8"))  # noqa: S704
