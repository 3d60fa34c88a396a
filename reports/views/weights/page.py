"""The content of the page of `show`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.views import machine
from reports.views.numbers import three_digits
from reports.views.picture import Picture
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated
from reports.views.weights import maps, sentences
from suites.records.store import Run
from suites.records.weights import Weights

_HEAD: Final = ("query", "head", "sum of weights", "by the reference", "keys it sees")


def picture(run: Run, found: Weights) -> Picture:
    """The answer, a heat map for each head, and the sums of the rows."""
    return Picture(
        title=f"Attention weights of {abbreviated(found.implementation)}, {found.problem}",
        answer=sentences.answer(found),
        notes=tuple(sentences.notes(found)),
        sections=(
            Section("weights", "Weights", charts=maps.heats(found)),
            Section("sums", "Sums of the weights", tables=(_sums(found),)),
        ),
        command=run.command,
        facts=machine.machine_facts(run.machine, threads=max(run.plan.threads)),
        stamp=machine.stamp(run),
    )


def _sums(found: Weights) -> Table:
    names = ("query", "head", "sum", "reference_sum", "visible_keys")
    caption = "The sum of every query's weights over all keys"
    return Table(caption, _HEAD, tuple(_rows(found)), names=names)


def _rows(found: Weights) -> Iterator[Row]:
    for head in found.heads:
        where = sentences.place(head.batch_row, head.head, found)
        for query, (own, wanted) in enumerate(zip(head.sums, head.wanted, strict=True)):
            start, end = head.visible[query]
            yield Row(
                (
                    Value(str(query), query),
                    Value(where),
                    Value(three_digits(round(own, 6)), own),
                    Value(three_digits(round(wanted, 6)), wanted),
                    Value(f"{start} to {end - 1}" if start < end else "none", end - start),
                )
            )
