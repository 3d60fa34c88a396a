"""The attention of each layer of a model in one step, as a table that is opened on demand."""

from __future__ import annotations

from typing import Final

from reports.analysis.in_models import APART, LayerRow, layers
from reports.analysis.run_analysis import Analysis
from reports.views.model_titles import titles
from reports.views.numbers import milliseconds, percent
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.values import figure

ORDER: Final = 0.4
_HEAD: Final = (
    *("model", "implementation", "layer", "calls of it", "forward ms", "backward ms"),
    "share of the step",
)
_CAPTION: Final = (
    "Attention of each layer in one step: medians over the sessions of steps with clocks. With the "
    f"baseline, and with others where a layer takes more than {APART:g} times another's time."
)


def section(analysis: Analysis) -> Section | None:
    """The layers as a table; None for a run without steps of models."""
    rows = layers(analysis)
    if not rows:
        return None
    named = titles(row.problem for row in rows)
    return Section(
        id="model-layers",
        heading="Layers of models",
        tables=(
            Table(
                _CAPTION,
                _HEAD,
                tuple(_row(row, named[row.problem]) for row in rows),
                shown=len(_HEAD),
            ),
        ),
        on_demand="Show the layers",
    )


def _row(row: LayerRow, title: str) -> Row:
    cells = (
        Value(title),
        Value(row.implementation),
        Value(row.layer),
        Value(str(row.calls), row.calls),
        figure(row.forward_ms, milliseconds(row.forward_ms)),
        figure(row.backward_ms, milliseconds(row.backward_ms), absent=""),
        figure(row.share, percent(row.share)),
    )
    return Row(cells, facets(row.problem, row.implementation))
