"""Recall by distance: where a window ends, so does recall."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from statistics import mean
from typing import Final

from reports.analysis.learning.learnt import LearntTask, Row
from reports.rows.panels import ATTENTION
from reports.views import sections
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import looks
from reports.views.numbers import percent, three_digits
from reports.views.problems import facets
from reports.views.sections import Table, Value
from reports.views.text import abbreviated
from reports.views.values import figure, whole

KEY: Final = "recall_by_distance"
_NOTE: Final = (
    "A point is the accuracy on validation examples whose key stood so many words before the "
    "question. A window of N reaches distance N - 1. Guessing is right in one of eight."
)


def sentences(found: LearntTask) -> Iterator[str]:
    """The accuracy within and beyond the reach of each mask, in a sentence each."""
    for row in found.trained:
        accuracy, reach = row.training.by_distance, reach_of(row)
        within, beyond = _mean(accuracy[:reach]), _mean(accuracy[reach:])
        said = f"recall with {_mask(row)}: {percent(within)} up to distance {reach}"
        yield f"{said}, {percent(beyond)} beyond." if beyond is not None else f"{said}."


def reach_of(row: Row) -> int:
    """The largest distance that the mask lets the last word see."""
    left, distances = row.training.problem.mask.left, len(row.training.by_distance)
    return distances if left is None else min(left - 1, distances)


def _mean(accuracies: tuple[float, ...]) -> float | None:
    known = [each for each in accuracies if not isnan(each)]
    return mean(known) if known else None


def _mask(row: Row) -> str:
    return str(row.training.problem.mask)


def table(found: LearntTask) -> Table:
    """A row for each mask."""
    return Table(
        caption="recall: the models after their last step, on validation examples.",
        head=("mask", "implementation", "reach", "within", "beyond", "seconds", "CPU seconds"),
        rows=tuple(map(_row, found.trained)),
        shown=6,
        names=(
            "mask", "implementation", "reach", "accuracy_within", "accuracy_beyond", "seconds",
            "cpu_seconds",
        ),
    )  # fmt: skip


def _row(row: Row) -> sections.Row:
    training, reach = row.training, reach_of(row)
    within, beyond = _mean(training.by_distance[:reach]), _mean(training.by_distance[reach:])
    return sections.Row(
        (
            Value(_mask(row)),
            Value(training.implementation),
            whole(reach),
            figure(within, percent(within), "-"),
            figure(beyond, percent(beyond), "-"),
            figure(training.seconds, three_digits(training.seconds)),
            figure(training.cpu_seconds, three_digits(training.cpu_seconds)),
        ),
        facets(training.problem, training.implementation),
    )


def chart(found: LearntTask) -> Chart:
    """Accuracy by distance, a mask a line."""
    styles = looks(map(_mask, found.trained))
    names = dict.fromkeys(abbreviated(row.training.implementation) for row in found.trained)
    return Chart(
        key=KEY,
        panel=ATTENTION,
        title=f"Recall by distance, learnt with {', '.join(names)}",
        label="",
        common="",
        mask="",
        x_title="distance of the key, words",
        y_title="accuracy, %",
        log_x=False,
        log_y=False,
        series=tuple(
            Series(
                name=_mask(row),
                x=tuple(range(1, len(row.training.by_distance) + 1)),
                y=tuple(100 * each for each in row.training.by_distance),
                low=(),
                high=(),
                hover=tuple(_points(row)),
                look=styles[_mask(row)],
                drawn="joined",
                facets=tuple(facets(row.training.problem) for _ in row.training.by_distance),
            )
            for row in found.trained
        ),
        note=_NOTE,
        alt=f"Recall by distance: {' '.join(sentences(found))}",
        ticks=False,
        bars="",
    )


def _points(row: Row) -> Iterator[str]:
    for distance, accuracy in enumerate(row.training.by_distance, 1):
        yield f"{_mask(row)}\ndistance {distance}: {percent(accuracy) or 'no example'}"
