"""A profile in the terminal: the answer, and a short table of operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.profile.layers import LayerRow, layer_rows
from reports.analysis.profile.operators import Operators, Row
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import Name, table
from reports.views.numbers import milliseconds
from reports.views.profile import layers
from reports.views.profile import page as views
from reports.views.profile.flame import share, short_line
from reports.views.profile.operators import LEAST_SHARE, part, shown
from reports.views.text import LONGEST_TEXT, abbreviated
from suites.records.profile import Profile

MOST_ROWS: Final = 8
"""Operators of one table; the page has all."""
_HEADS: Final = ("share", "ms", "part of ceiling", "source line")


def profile_tables(found: ProfiledRun) -> Iterator[RenderableType]:
    """The faults, the answer, and the largest operators of each profile of the longest call."""
    for fault in views.faults(found):
        yield Text(abbreviated(f"{fault.said}: {fault.why}", LONGEST_TEXT), style="red")
    for sentence in views.sentences(found):
        yield Text(sentence, style="bold")
    for sentence in views.left_out(found):
        yield Text(abbreviated(sentence, LONGEST_TEXT))
    for profile in found.on(found.longest) if found.longest else ():
        if rows := layer_rows(found, profile):
            yield _layers(profile, rows)
        if not profile.unseen:
            yield _table(profile, Operators(profile, found.analysis))


def _table(profile: Profile, found: Operators) -> RenderableType:
    made = table(f"{profile.implementation} on {profile.problem}, by line and operator")
    made.add_column("operator", overflow="fold")
    for head in _HEADS[:-1]:
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column(_HEADS[-1], overflow="fold")
    for row in found.by_line[:MOST_ROWS]:
        if row.share >= LEAST_SHARE:
            made.add_row(*_cells(row))
    return Fitting(made)


def _layers(profile: Profile, rows: Sequence[LayerRow]) -> RenderableType:
    """The layers of a model; a call site that all of them share stands above the table."""
    sites = {short_line(row.site) for row in rows if row.site}
    at = f", called at {next(iter(sites))}" if len(sites) == 1 else ""
    made = table(f"{profile.implementation} on {profile.problem}, by attention layer{at}")
    kept = [head for head in layers.HEAD if not at or head != layers.SITE]
    for head in kept:
        text = head in {layers.HEAD[0], layers.SITE}
        made.add_column(head, overflow="fold", justify="left" if text else "right")
    for row in rows:
        cells = dict(zip(layers.HEAD, layers.cells(row), strict=True))
        made.add_row(*(Text(cells[head].text) for head in kept))
    return Fitting(made)


def _cells(row: Row) -> Iterator[RenderableType]:
    yield Name(shown(row.name))
    yield Text(share(row.share))
    yield Text(milliseconds(row.self_ns / 1e6))
    yield Text(part(row))
    yield Name(short_line(row.line))
