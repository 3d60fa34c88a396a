"""A run over several kinds of machine as markdown: the machines, what is fastest where, answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.machines import Machines
from reports.outputs.markdown.run import of_run
from reports.outputs.markdown.text import escaped, table
from reports.views import machine_kinds, machines
from reports.views.sections import Table
from reports.views.text import counted

MOST_ROWS: Final = 24
"""Problems of a table; more are counted."""


def of_kinds(group: str, found: Machines) -> str:
    """The two tables, then each machine as `of_run` writes it, below its heading."""
    parts = [
        f"## {escaped(group)}: {escaped(machine_kinds.title(found))}",
        _machines(found),
        *_fastest(found),
        escaped(machines.NOT_JUDGED),
        *(f"## {escaped(machines.name(side))}\n\n{of_run(side.analysis)}" for side in found.sides),
    ]
    return "\n\n".join(parts)


def _machines(found: Machines) -> str:
    shown = machine_kinds.machines_table(found)
    rows = [[escaped(cell.text) for cell in row.cells] for row in shown.rows]
    return table(["", *map(escaped, shown.head[1:])], rows)


def _fastest(found: Machines) -> Iterator[str]:
    for shown in machine_kinds.fastest_tables(found):
        left = len(shown.rows) - MOST_ROWS
        more = f" {counted(left, 'more problem')} on the page." if left > 0 else ""
        yield f"{escaped(shown.caption)}{more}\n\n{_rows(shown)}"


def _rows(shown: Table) -> str:
    head = list(map(escaped, shown.head))
    lines = [[escaped(cell.text) for cell in row.cells] for row in shown.rows[:MOST_ROWS]]
    return table(head, lines)
