"""Each rank of a group of processes: time, bytes sent, memory, communication and arithmetic."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.ranks import RankRow, ranks
from reports.views.problems import facets
from reports.views.ranks import HEADING, HEADS, NAMES, NOTE, values
from reports.views.sections import Row, Section, Table, Value

ORDER: Final = 0.45
_HEAD: Final = ("problem", "implementation")


def section(analysis: Analysis) -> Section | None:
    """A table of all ranks; None for a run without a group of processes."""
    rows = ranks(analysis.run, analysis.records)
    if not rows:
        return None
    table = Table(
        caption="One row per rank",
        head=(*_HEAD, *HEADS),
        rows=tuple(map(_row, rows)),
        shown=len(_HEAD) + len(HEADS),
        names=(*_HEAD, *NAMES),
    )
    return Section(id="ranks", heading=HEADING, sentences=(NOTE,), tables=(table,))


def _row(row: RankRow) -> Row:
    cells = (
        Value(str(row.problem)),
        Value(row.implementation),
        *(
            Value(text or "not measured", float("nan") if number is None else number)
            for text, number in values(row)
        ),
    )
    return Row(cells, facets(row.problem, row.implementation))
