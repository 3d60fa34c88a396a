"""Attention weights as heat maps: by the implementation, by the reference, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

from reports.views.charts.heat import Cells, Heat, Panel
from reports.views.numbers import three_digits
from reports.views.text import abbreviated, capitalized
from reports.views.weights.sentences import place, size
from suites.records.weights import HeadWeights, Weight, Weights

HIDDEN: Final = "hidden by the mask"


def heats(found: Weights) -> tuple[Heat, ...]:
    """A chart for each head that is drawn."""
    return tuple(_heat(head, found) for head in found.heads)


def _heat(head: HeadWeights, found: Weights) -> Heat:
    name, where = abbreviated(found.implementation), place(head.batch_row, head.head, found)
    return Heat(
        key=f"weights_row_{head.batch_row}_head_{head.head}",
        title=f"Weights of {where}",
        label="",
        common=f"{found.problem}; differences of at most {_most(head)}",
        x_title="key",
        y_title="query",
        panels=(
            Panel(
                title=name,
                cells=_cells(head.weights, head.visible),
                word="weight",
                sides=_sides(head.sums),
            ),
            Panel(
                title="reference",
                cells=_cells(head.expected, head.visible),
                word="weight",
                sides=_sides(head.wanted),
            ),
            Panel(title="difference", cells=_differences(head), word="difference", signed=True),
        ),
        note=_note(head, found),
        alt=f"{capitalized(where)}: heat maps of the weights of {name}, of the reference's, and "
        "of their difference, with a row for each query and a column for each key.",
        empty=HIDDEN,
        mark=_mark(head, found),
    )


def _cells(weights: Cells, visible: Sequence[tuple[int, int]]) -> Cells:
    """The weights; none for a hidden key that has the weight 0."""
    return tuple(
        tuple(
            None if value == 0 and not start <= key < end else value
            for key, value in enumerate(row)
        )
        for row, (start, end) in zip(weights, visible, strict=True)
    )


def _differences(head: HeadWeights) -> Cells:
    return _cells(
        tuple(
            tuple(ours - theirs for ours, theirs in zip(*rows, strict=True))
            for rows in zip(head.weights, head.expected, strict=True)
        ),
        head.visible,
    )


def _most(head: HeadWeights) -> str:
    """The largest difference of the drawn weights that are numbers."""
    drawn = (x for row in _differences(head) for x in row if x is not None)
    return size(max((abs(x) for x in drawn if isfinite(x)), default=0.0))


def _sides(sums: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"sum of the row {three_digits(round(value, 6))}" for value in sums)


def worst(found: Weights) -> Weight | None:
    """The weight that the answer names; None where all agree."""
    return found.deviations[0].worst if found.deviations else None


def _mark(head: HeadWeights, found: Weights) -> tuple[int, int] | None:
    named = worst(found)
    if named is None or (named.batch_row, named.head) != (head.batch_row, head.head):
        return None
    inside = named.query < len(head.weights) and named.key < len(head.weights[0])
    return (named.query, named.key) if inside else None


def _note(head: HeadWeights, found: Weights) -> str:
    marked = " The frame marks the weight that the first sentence names."
    return (
        "Darker on a light page, lighter on a dark one: a larger weight. Colours follow its square "
        f"root. Grey: {HIDDEN}."
        f"{marked if _mark(head, found) else ''}"
    )
