"""A run below a notebook's cell: the answer, the verdicts, and the charts of the page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from markupsafe import escape

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.contents import contents
from reports.outputs.notebook.figures import figure
from reports.views.charts.chart import Chart
from reports.views.first_screen import FirstScreen
from reports.views.sections import Table
from reports.views.tables import measurement_table, verdict_tables
from reports.views.text import counted

MOST_CHARTS: Final = 8
"""Charts below a cell; the page has all."""
MOST_ROWS: Final = 40
"""Rows of a table; the frames and the page have all."""


def of(analysis: Analysis, images: Sequence[Path], page: Path | None) -> str:
    """HTML that needs no network: with plotly as interactive charts, without it as images."""
    made = contents(analysis, ())
    charts = _interactive(made.printed) if find_spec("plotly") else _images(images)
    parts = [
        *_head(made.first),
        *(_table(table) for table in _tables(analysis)),
        *charts,
        f"<p>The whole report: <code>{escape(page)}</code></p>" if page else "",
    ]
    return f"<div>{''.join(parts)}</div>"


def _head(first: FirstScreen) -> Iterator[str]:
    """The title, faults, and what to use."""
    yield f"<h4>{escape(first.title)}</h4>"
    for fault in first.faults:
        said = "; cure: ".join(filter(None, (f"{fault.said}: {fault.why}", fault.cure)))
        yield f"<p><strong>{escape(said)}</strong></p>"
    for line in (*(each.sentence for each in first.answers), *first.sentences, first.preamble):
        yield f"<p>{escape(line)}</p>"


def _tables(analysis: Analysis) -> list[Table]:
    """The verdicts; without any, the measurements."""
    verdicts = [table for _, table in verdict_tables(analysis)]
    return verdicts or ([measurement_table(analysis)] if analysis.measurements else [])


def _table(table: Table) -> str:
    """The columns of a table that the page shows at first."""
    head = "".join(f"<th>{escape(text)}</th>" for text in table.head[: table.shown])
    rows = (
        "".join(f"<td>{escape(cell.text)}</td>" for cell in row.cells[: table.shown])
        for row in table.rows[:MOST_ROWS]
    )
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    left = len(table.rows) - MOST_ROWS
    more = f"<p>{counted(left, 'more row')}: in the frames and on the page.</p>" if left > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _interactive(drawn: Sequence[object]) -> Iterator[str]:
    """Figures of plotly; the first one brings the library, so that no network is needed."""
    charts = [chart for chart in drawn if isinstance(chart, Chart)]
    for place, chart in enumerate(charts[:MOST_CHARTS]):
        yield figure(chart).to_html(
            full_html=False,
            include_plotlyjs=place == 0,
            include_mathjax=False,
            config={"displaylogo": False},
        )
    yield _left(len(charts))


def _images(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths[:MOST_CHARTS]:
        data = b64encode(path.read_bytes()).decode()
        yield f'<img alt="{escape(path.stem)}" src="data:image/png;base64,{data}">'
    yield _left(len(paths))


def _left(count: int) -> str:
    left = count - MOST_CHARTS
    return f"<p>{counted(left, 'more chart')}: on the page.</p>" if left > 0 else ""
