"""Several machines side by side as tables: times and ratios, then the answer of each machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.machines import Machines, Pair, Side
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.views import machines
from reports.views.problems import common_words, shared_words, without
from reports.views.text import LONGEST_TEXT, abbreviated, counted

MOST_ROWS: Final = 20
"""Rows of times; more are counted."""


def machine_tables(found: Machines) -> list[RenderableType]:
    """The machines, the times on each, what differs, and the answer of each machine at the end."""
    pairs = [pair for own in found.panels.values() for pair in own]
    left = len(pairs) - MOST_ROWS
    more = [f"Not shown: {counted(left, 'more row')}; the page has all."] if left > 0 else []
    return [
        Text(f"\n{machines.HEADING}", style="bold"),
        *lines([*machines.legend(found), machines.WHY]),
        *([_times(found, pairs[:MOST_ROWS])] if pairs else []),
        *lines([*more, machines.NOT_JUDGED]),
        *(part for side in found.sides for part in answer_of(side)),
    ]


def _times(found: Machines, pairs: list[Pair]) -> RenderableType:
    """A row for each implementation below its problem; the title has what all problems share."""
    problems = list(dict.fromkeys(problem for problem, _ in pairs))
    shared = shared_words(problems)
    made = table(", ".join(filter(None, ["Median times", common_words(problems[0], shared)])))
    rows = list(_rows(found, pairs, shared))
    made.add_column("", overflow="fold", min_width=max(name.least for name, _ in rows))
    for side in found.sides:
        made.add_column(f"{side.label} ms", justify="right", no_wrap=True)
        made.add_column(f"{side.label} ratio [95 %]", justify="right", no_wrap=True)
    for name, values in rows:
        made.add_row(name, *values)
    return Fitting(made)


def _rows(
    found: Machines, pairs: list[Pair], shared: frozenset[str]
) -> Iterator[tuple[Name, list[Text]]]:
    before = None
    for problem, name in pairs:
        if problem != before:
            yield Name(without(problem, shared)), []
        before = problem
        values = [cell for side in found.sides for cell in machines.cells(side, (problem, name))]
        yield Name(f"  {abbreviated(name, MOST)}"), [Text(value.text) for value in values]


def answer_of(side: Side) -> list[RenderableType]:
    """The machine, its faults and its answer."""
    said = [*machines.notes(side), *machines.faults(side), *machines.answers(side)]
    return [Text(f"\n{machines.name(side)}", style="bold"), *lines(said)]


def lines(sentences: list[str]) -> list[RenderableType]:
    """A line for each sentence."""
    return [Text(abbreviated(each, LONGEST_TEXT)) for each in sentences]
