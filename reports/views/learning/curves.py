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
_NOTE: Final = (
    "Lines lie upon each other where implementations learn alike. Later losses amplify rounding "
    "differences: only the first ones are judged."
)


def charts(found: LearntTask, looks: Mapping[str, Look]) -> Iterator[Chart]:
    """Small charts of one family: losses and accuracies of training and validation, their gap."""
    for label, y_title, figure in (
        ("training loss", "loss", lambda look: look.loss),
        ("validation loss", "loss", lambda look: look.validation_loss),
        ("training accuracy", "accuracy, %", lambda look: 100 * look.accuracy),
        ("validation accuracy", "accuracy, %", lambda look: 100 * look.validation_accuracy),
        ("training less validation accuracy", "gap, %", lambda look: 100 * look.gap),
    ):
        yield _chart(found, looks, label, y_title, figure)


def _chart(
    found: LearntTask, looks: Mapping[str, Look], label: str, y_title: str, figure: Figure
) -> Chart:
    name, problem = found.task.name, found.trained[0].training.problem
    return Chart(
        key=f"learning_{name}",
        panel=ATTENTION,
        title=f"Learning {name}",
        label=label,
        common=str(problem),
        mask=str(problem.mask),
        x_title="step",
        y_title=y_title,
        log_x=False,
        log_y=False,
        series=tuple(_line(row, looks, figure) for row in found.trained),
        note=_NOTE,
        alt=f"Learning {name}, {label} over the steps: {'; '.join(_ends(found, figure))}.",
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


def _ends(found: LearntTask, figure: Figure) -> Iterator[str]:
    """The range of the last figures."""
    last = sorted(figure(row.training.looks[-1]) for row in found.trained)
    yield (
        f"{counted(len(last), 'implementation')} end at {three_digits(last[0])} to "
        f"{three_digits(last[-1])}"
    )
