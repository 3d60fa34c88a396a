"""Equal bits of repeated calls, and rows independent of their batch: one row an implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.views.repeats import INDEPENDENT, batch_words, repeated, repeats_words
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated
from suites.records.record import Record

ORDER: Final = 5
_NOTE: Final = (
    "Neither is a fault. The batch grows from 1 to 8 with the same first row, whose output is "
    "compared bit for bit."
)


def section(analysis: Analysis) -> Section | None:
    """A table of the implementations that were tested; None without one."""
    own: dict[str, list[Record]] = {entry.name: [] for entry in analysis.plan.entries}
    for record in analysis.records:
        if record.agreement is not None and record.implementation in own:
            own[record.implementation].append(record)
    found = {name: each for name, each in own.items() if repeats_words(each) or batch_words(each)}
    if not found:
        return None
    every = [record for each in found.values() for record in each]
    return Section(
        id="repeats",
        heading="Equal bits",
        sentences=(_NOTE,),
        tables=(_table(repeated(every), found),),
    )


def _table(question: str, found: dict[str, list[Record]]) -> Table:
    return Table(
        caption="Over all problems on which an implementation was checked",
        head=("implementation", question, INDEPENDENT),
        rows=tuple(_row(name, records) for name, records in found.items()),
    )


def _row(name: str, records: Sequence[Record]) -> Row:
    words = (repeats_words(records), batch_words(records))
    return Row((Value(abbreviated(name)), *(Value(each or "not tested") for each in words)))
