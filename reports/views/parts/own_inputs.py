"""The error on the user's own inputs beside that on random ones: one row a tensor."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.own_inputs import OwnInputs, own_inputs
from reports.views.own_inputs import HEADING, HEADS, NAMES, NOTE, timed_note, values
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value

ORDER: Final = 1
_HEAD: Final = ("problem", "implementation", "file", "tensor")


def section(analysis: Analysis) -> Section | None:
    """A table of all files; None for a run with random inputs alone."""
    rows = own_inputs(analysis.run, analysis.records)
    if not analysis.plan.inputs:
        return None
    table = Table(
        caption="One row per tensor that was compared",
        head=(*_HEAD, *HEADS),
        rows=tuple(map(_row, rows)),
        shown=len(_HEAD) + 3,
        names=(*_HEAD, *NAMES),
    )
    return Section(
        id="own-inputs",
        heading=HEADING,
        sentences=tuple(filter(None, (timed_note(analysis), NOTE))),
        tables=(table,) if rows else (),
    )


def _row(row: OwnInputs) -> Row:
    names = (str(row.problem), row.implementation, row.file, row.tensor)
    cells = (
        *map(Value, names),
        *(Value(text or "not compared", _order(number)) for text, number in values(row)),
    )
    return Row(cells, facets(row.problem, row.implementation))


def _order(value: float | None) -> float:
    return float("nan") if value is None else value
