"""Attention by its definition, in words, one table and heat maps."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp

from reports.views.charts.heat import Cells, Heat, Panel
from reports.views.explained.words import keys, number, table, vector, which_head
from reports.views.sections import Section, Table
from suites.explaining.steps import DenseSoftmax

TITLE = "Attention by its definition"
_HEAD = ("key", "score", "score - maximum", "exponential", "weight")


def answer(found: DenseSoftmax) -> str:
    """The size of the matrix of scores."""
    queries, length = len(found.scores), found.problem.key_length
    return (
        f"The naive method keeps all {queries} x {length} scores of a head. Its memory grows with "
        "the square of the length."
    )


def notes(found: DenseSoftmax) -> Iterator[str]:
    """The three steps, and what is wasted."""
    yield "Step 1: scores are q k^T times the scale. A hidden key gets the score -inf."
    yield "Step 2: each row becomes exp(score - maximum), divided by the sum of the row."
    yield (
        f"Step 3: the output is the weights times v. Query {found.query} gets "
        f"{vector(found.output[found.query])}."
    )
    visible = sum(end - start for start, end in found.visible)
    every = len(found.scores) * found.problem.key_length
    if visible < every:
        yield f"The mask hides {every - visible} of {every} scores, which are computed in vain."
    yield from filter(None, [which_head(found.problem)])
    yield "Inputs are seeded. All numbers are float64 (arXiv 1706.03762)."


def sections(found: DenseSoftmax) -> Iterator[Section]:
    """The matrices, and one row of them in numbers."""
    yield Section("matrices", "Scores and weights", charts=(_heat(found),))
    yield Section("row", f"The row of query {found.query}", tables=(_table(found),))


def _heat(found: DenseSoftmax) -> Heat:
    return Heat(
        key="naive_attention",
        title="Scores and weights",
        label="",
        common=str(found.problem),
        x_title="key",
        y_title="query",
        panels=(
            Panel(title="scores of all pairs", cells=found.scores, word="score", signed=True),
            Panel(title="weights", cells=_weights(found), word="weight"),
        ),
        note="Grey: hidden by the mask. Blue scores are positive, orange ones negative.",
        alt="Heat maps of the scores and of the weights, a row for each query.",
        empty="hidden by the mask",
    )


def _weights(found: DenseSoftmax) -> Cells:
    return tuple(
        tuple(value if start <= key < end else None for key, value in enumerate(row))
        for row, (start, end) in zip(found.weights, found.visible, strict=True)
    )


def _table(found: DenseSoftmax) -> Table:
    start, end = found.visible[found.query]
    scores, weights = found.scores[found.query], found.weights[found.query]
    top = max(scores[start:end], default=0.0)
    rows = (
        (
            str(key),
            number(scores[key]),
            number(scores[key] - top),
            number(exp(scores[key] - top)),
            number(weights[key]),
        )
        for key in range(start, end)
    )
    caption = f"Query {found.query} sees {keys(start, end)}"
    return table(caption, _HEAD, rows)
