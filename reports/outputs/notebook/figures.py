"""Charts of the page as plotly figures, for a notebook: the same points, looks and titles."""

from __future__ import annotations

from typing import Any, Final

from reports.outputs.html.chart_data import chart_text
from reports.views.charts.chart import Chart, Series
from reports.views.text import abbreviated

_MODES: Final = {
    "line": "lines+markers",
    "joined": "lines+markers",
    "points": "markers",
    "samples": "markers",
    "bare": "lines",
}
_ROW_PX: Final = 44
_HEIGHT_PX: Final = 416
_SAMPLE_PX, _POINT_PX = 4, 9


def figure(chart: Chart) -> Any:
    """The chart as a figure of plotly."""
    from plotly.graph_objects import Figure  # noqa: PLC0415 - a run is measured without plotly

    made = Figure([_trace(chart, series) for series in chart.series])
    label = f"{chart.title} {chart.label}".strip()
    made.update_layout(
        title={"text": chart_text(label), "font": {"size": 15}},
        template="plotly_white",
        height=110 + _ROW_PX * len(chart.rows) if chart.rows else _HEIGHT_PX,
        showlegend=not chart.rows,
        hovermode="closest",
        margin={"l": 64, "r": 24, "t": 48, "b": 52},
    )
    made.update_xaxes(title=chart_text(chart.x_title), type="log" if chart.log_x else "linear")
    made.update_yaxes(title=chart_text(chart.y_title), type="log" if chart.log_y else "linear")
    if chart.rows:
        _mark_rows(made, chart)
    elif chart.ticks:
        sizes = sorted({x for series in chart.series for x in series.x})
        made.update_xaxes(tickvals=sizes, ticktext=[f"{size:g}" for size in sizes])
    return made


def _trace(chart: Chart, series: Series) -> dict[str, Any]:
    bars = "x" if chart.rows else "y"
    values = series.x if chart.rows else series.y
    size = _SAMPLE_PX if series.drawn == "samples" else _POINT_PX
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [high - value for high, value in zip(series.high, values, strict=False)],
        "arrayminus": [value - low for low, value in zip(series.low, values, strict=False)],
    }
    return {
        "type": "scatter",
        "name": chart_text(abbreviated(series.name)),
        "mode": _MODES[series.drawn],
        "x": list(series.x),
        "y": list(series.y),
        "hovertext": [chart_text(text) for text in series.hover],
        "hoverinfo": "text" if series.hover else "x+y+name",
        "line": {"color": series.look.light, "dash": series.look.line},
        "marker": {"color": series.look.light, "symbol": series.look.marker, "size": size},
        **({f"error_{bars}": spread} if series.low else {}),
    }


def _mark_rows(made: Any, chart: Chart) -> None:
    """Texts in place of numbers on the y axis, the first one at the top."""
    made.update_yaxes(
        title="",
        type="linear",
        range=[len(chart.rows) - 0.5, -0.5],
        tickvals=list(range(len(chart.rows))),
        ticktext=[chart_text(row) for row in chart.rows],
        automargin=True,
    )
    if chart.clip:
        made.update_xaxes(range=_ends(chart))


def _ends(chart: Chart) -> list[float]:
    """The range of an axis of a chart with clipped bars; of a logarithmic one its exponents."""
    from math import log10  # noqa: PLC0415 - of one chart

    ends = chart.clip or (0.0, 1.0)
    return [log10(end) for end in ends] if chart.log_x else list(ends)
