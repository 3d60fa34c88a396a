"""Problems one after the other with compiled code kept: what each implementation took in all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.stream import Stream, streams
from reports.views.grids import Cell, Grid, GridRow, marked
from reports.views.numbers import mebibytes, milliseconds, number
from reports.views.panels import subject


def stream_grid(analysis: Analysis, *, panel: str) -> Grid:
    """Times of a stream of problems, compilations and growth of memory; empty for other runs."""
    found = streams(analysis, panel)
    rows = tuple(
        GridRow(label=label, cells=marked(tuple(_cell(figure(each), text) for each in found)))
        for label, figure, text in _FIGURES
    )
    calls = found[0].calls if found else 0
    return Grid(
        title=f"Stream of {calls} problems, each new in its process: {subject(panel)}",
        unit="sums",
        columns=tuple(each.implementation for each in found),
        rows=rows,
        caption="Sums over all problems, the median of the sessions",
    )


def _cell(value: float | None, text: Callable[[float | None], str]) -> Cell:
    if value is None:
        return Cell(text="none", state="empty", title="not recorded")
    return Cell(text=text(value), state="timed", level=value)


def _first_per_call_ms(each: Stream) -> float | None:
    return None if each.first_ms is None else each.first_ms / each.calls


_FIGURES: Final[
    tuple[tuple[str, Callable[[Stream], float | None], Callable[[float | None], str]], ...]
] = (
    ("ms of all first calls, set-up included", lambda each: each.first_ms, milliseconds),
    ("ms of a first call, set-up spread over all", _first_per_call_ms, milliseconds),
    ("ms of all calls, warm", lambda each: each.warm_ms, milliseconds),
    ("graphs compiled", lambda each: each.compilations, number),
    ("growth of resident memory, MiB", lambda each: each.growth_bytes, mebibytes),
)
"""Label, figure and text of each row."""
