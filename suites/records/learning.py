"""The training of a small model with an implementation inside: its losses and accuracies."""

from __future__ import annotations

from suites.records.codec import Count, ProblemText, message
from suites.records.record import Status


@message
class Look:
    """Losses and accuracies after a number of steps, on training and on validation examples."""

    step: Count
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float

    @property
    def gap(self) -> float:
        """The training accuracy less the validation accuracy."""
        return self.accuracy - self.validation_accuracy


@message
class Training:
    """One model that was trained with one implementation.

    task         digits, sentiment or recall
    problem      of its attention
    status       ok where it was trained to the end; else the reason says why not
    losses       of every step, in float64, on its batch
    looks        at regular steps; the last one is after the last step
    by_distance  of recall: the accuracy at distance 1, 2, ...; empty for other tasks
    seconds      wall time of the steps
    cpu_seconds  CPU time of the steps, of all threads
    """

    task: str
    implementation: str
    problem: ProblemText
    threads: Count
    status: Status = "ok"
    reason: str = ""
    losses: tuple[float, ...] = ()
    looks: tuple[Look, ...] = ()
    by_distance: tuple[float, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
