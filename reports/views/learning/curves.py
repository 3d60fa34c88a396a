"""The chart of a task: losses and accuracies over the steps, an implementation a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from reports.analysis.learning.learnt import LearntTask, Row
from reports.rows.panels import ATTENTION
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import Look
from reports.views.numbers import percent, three_digits
from reports.views.problems import facets
from reports.views.text import abbreviated, counted
from suites.records import learning

Figure = Callable[[learning.Look], float]
_LOSSES: Final[dict[str, Figure]] = {
    "training": lambda look: look.loss,
    "validation": lambda look: look.validation_loss,
}
_ACCURACIES: Final[dict[str, Figure]] = {
    "training": lambda look: 100 * look.accuracy,
    "validation": lambda look: 100 * look.validation_accuracy,
    "training less validation": lambda look: 100 * look.gap,
}
_NOTE: Final = (
    "Lines lie upon each other where implementations learn alike. Later losses amplify rounding "
    "differences: only the first ones are judged."
)


def charts(found: LearntTask, looks: Mapping[str, Look]) -> Iterator[Chart]:
    """Losses of training and validation, then accuracies with their gap: a family of each."""
    for label, figure in _LOSSES.items():
        yield _chart(found, looks, "loss", label, figure)
    for label, figure in _ACCURACIES.items():
        yield _chart(found, looks, "accuracy", label, figure)


def _chart(
    found: LearntTask, looks: Mapping[str, Look], kind: str, label: str, figure: Figure
) -> Chart:
    name, problem = found.task.name, found.trained[0].training.problem
    return Chart(
        key=f"learning_{name}_{kind}",
        panel=ATTENTION,
        title=f"Learning {name}: {kind}",
        label=label,
        common=str(problem),
        mask=str(problem.mask),
        x_title="step",
        y_title=kind if kind == "loss" else f"{kind}, %",
        log_x=False,
        log_y=False,
        series=tuple(_line(row, looks, figure) for row in found.trained),
        note=_NOTE,
        alt=f"Learning {name}, {kind}, {label} over the steps: {_end(found, figure)}.",
        facets=facets(problem),
        ticks=False,
        bars="",
    )


def _line(row: Row, looks: Mapping[str, Look], figure: Figure) -> Series:
    training = row.training
    return Series(
        name=training.implementation,
        x=tuple(look.step for look in training.looks),
        y=tuple(map(figure, training.looks)),
        low=(),
        high=(),
        hover=tuple(_words(training, look) for look in training.looks),
        look=looks[training.implementation],
        implementation=training.implementation,
        drawn="joined",
    )


def _words(training: learning.Training, look: learning.Look) -> str:
    """Two lines for a point; equal ones are stored once."""
    return (
        f"{abbreviated(training.implementation)}, step {look.step}\n"
        f"loss {three_digits(look.loss)}, in validation {three_digits(look.validation_loss)}\n"
        f"accuracy {percent(look.accuracy)}, in validation {percent(look.validation_accuracy)}"
    )


def _end(found: LearntTask, figure: Figure) -> str:
    """The range of the last figures."""
    last = sorted(figure(row.training.looks[-1]) for row in found.trained)
    count = counted(len(last), "implementation")
    return f"{count} end at {three_digits(last[0])} to {three_digits(last[-1])}"
