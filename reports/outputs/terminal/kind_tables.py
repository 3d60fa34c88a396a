"""A run over several kinds of machine as tables: the machines, what is fastest where, answers."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from reports.analysis.fastest_where import columns, rows
from reports.analysis.machines import Machines
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import MOST, Name, table
from reports.outputs.terminal.machine_tables import MOST_ROWS, answer_of, lines
from reports.outputs.terminal.run_tables import summary
from reports.views import machine_kinds, machines
from reports.views.panels import heading
from reports.views.problems import common_words, shared_words, without
from reports.views.text import abbreviated, counted


def kind_tables(found: Machines, *, every: bool = False) -> list[RenderableType]:
    """The machines, what is fastest where, and the answer of each machine at the end.

    every  all tables of each machine in place of its answer
    """
    return [
        _machines(found),
        *_fastest(found),
        *lines([machines.NOT_JUDGED]),
        *(part for side in found.sides for part in answer_of(side) if not every),
        *(
            part
            for side in found.sides
            if every
            for part in (
                Text(f"\n{machines.name(side)}", style="bold"),
                *summary(side.analysis, every=True),
            )
        ),
    ]


def _machines(found: Machines) -> RenderableType:
    shown = machine_kinds.machines_table(found)
    made = table(machine_kinds.MACHINES)
    for head in ("", *shown.head[1:]):
        made.add_column(abbreviated(head, MOST), overflow="fold")
    for row in shown.rows:
        made.add_row(*(Text(abbreviated(cell.text)) for cell in row.cells))
    return Fitting(made)


def _fastest(found: Machines) -> Iterator[RenderableType]:
    """A table for each panel: below each problem a line for each machine."""
    every = columns(found)
    most = max(1, MOST_ROWS // len(every))
    for panel, problems in rows(every).items():
        texts = [machine_kinds.without_device(problem) for problem in problems]
        shared = shared_words(texts)
        title = f"{machine_kinds.FASTEST}: {heading(panel).lower()}"
        made = table(", ".join(filter(None, [title, common_words(texts[0], shared)])))
        labels = [f"  {abbreviated(column.label, MOST)}" for column in every]
        made.add_column("", overflow="fold", min_width=max(map(len, labels)))
        for head in machine_kinds.HEADS:
            made.add_column(head, justify="left" if head == "fastest" else "right", overflow="fold")
        for problem, text in zip(problems[:most], texts[:most], strict=True):
            made.add_row(Name(without(text, shared)), *[""] * len(machine_kinds.HEADS))
            for column, label in zip(every, labels, strict=True):
                cells = machine_kinds.cells(column, problem, panel)
                made.add_row(Name(label), *(Text(cell.text) for cell in cells))
        yield Fitting(made)
        left = len(problems) - most
        said = f"Not shown: {counted(left, 'more problem')}; the page has all."
        yield from lines([machines.baselines(found, panel), *([said] if left > 0 else [])])
