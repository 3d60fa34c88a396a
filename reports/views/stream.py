"""Problems one after the other with compiled code kept: what each implementation took in all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.views.grids import Cell, Grid, GridRow
from reports.views.numbers import mebibytes, milliseconds, number
from reports.views.panels import subject

_NOTHING: Final = Grid(title="", unit="", columns=(), rows=())


def stream_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Times of a stream of problems, compilations and growth of memory, one column for each.

    Of implementations with a time for every problem that any of them has. Empty for other runs.
    """
    if not analysis.plan.keep_compiled:
        return _NOTHING
    rows: dict[str, list[Measurement]] = defaultdict(list)
    for row in analysis.with_most_threads:
        if row.panel == panel:
            rows[row.implementation].append(row)
    most = max(map(len, rows.values()), default=0)
    whole = {name: own for name, own in rows.items() if len(own) == most}
    title = f"Stream of {most} calls, each of another problem: {subject(panel)}"
    made = tuple(
        GridRow(label=label, cells=tuple(_cell(figure(own), text) for own in whole.values()))
        for label, figure, text in _FIGURES
    )
    return Grid(title=title, unit="sums over the calls", columns=tuple(whole), rows=made)


def _cell(value: float | None, text: Callable[[float | None], str]) -> Cell:
    if value is None:
        return Cell(text="", state="empty", title="not recorded")
    return Cell(text=text(value), state="timed", level=value)


def _sum(figure: Callable[[Measurement], float | None]) -> Callable[..., float | None]:
    """The sum over the problems; None where no problem has the figure."""

    def summed(rows: Sequence[Measurement]) -> float | None:
        known = [value for value in map(figure, rows) if value is not None]
        return sum(known) if known else None

    return summed


def _mean_first_ms(rows: Sequence[Measurement]) -> float | None:
    total = _sum(_first_ms)(rows)
    return None if total is None else total / len(rows)


def _first_ms(row: Measurement) -> float | None:
    return None if row.first_call_ms is None else row.first_call_ms + (row.prepare_ms or 0.0)


_FIGURES: Final = (
    ("ms in all, set-up included", _sum(_first_ms), milliseconds),
    ("ms a call, set-up spread over all", _mean_first_ms, milliseconds),
    ("ms in all, warm", _sum(lambda row: row.median_ms), milliseconds),
    ("graphs compiled", _sum(lambda row: row.compilations), number),
    ("growth of resident memory, MiB", _sum(lambda row: row.set_up_bytes), mebibytes),
)
"""Label, figure and text of each row."""
