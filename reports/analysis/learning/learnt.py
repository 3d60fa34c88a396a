"""The trainings of each task with the verdict of the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from suites.learning.gate import Gate
from suites.learning.tasks import TASKS, LearningTask
from suites.records.learning import Training
from suites.records.record import ANSWERS
from suites.training import LearntRun


@dataclass(frozen=True, slots=True)
class Row:
    """A training with its verdict.

    passes      whether its first losses are within what the gate allows; None: not judged
    difference  the largest difference of its first losses to an honest implementation; None where
                no honest implementation was trained
    panel       the function that it computes: attention, layers, ...
    """

    training: Training
    passes: bool | None
    difference: float | None
    panel: str

    @property
    def is_trained(self) -> bool:
        """Whether it was trained to the end."""
        return self.training.status == "ok"

    @property
    def is_fault(self) -> bool:
        """Whether it fails the gate, or failed otherwise."""
        return self.passes is False or self.training.status not in (*ANSWERS, "ok")


@dataclass(frozen=True, slots=True)
class LearntTask:
    """A task with its rows; those that were trained come first."""

    task: LearningTask
    gate: Gate
    rows: tuple[Row, ...]

    @property
    def trained(self) -> list[Row]:
        """The rows of trained models."""
        return [row for row in self.rows if row.is_trained]

    @property
    def untrained(self) -> list[Row]:
        """The rows of implementations that were not trained, each with its reason."""
        return [row for row in self.rows if not row.is_trained]

    @property
    def failing(self) -> list[Row]:
        """The rows that fail the gate."""
        return [row for row in self.rows if row.passes is False]


def tasks(found: LearntRun) -> list[LearntTask]:
    """Every task of a run, in order."""
    return [_task(found, task) for task in TASKS.values()]


def faults(found: LearntRun) -> Iterator[Row]:
    """Every row that is a fault: of the gate, or of the implementation."""
    return (row for each in tasks(found) for row in each.rows if row.is_fault)


def _task(found: LearntRun, task: LearningTask) -> LearntTask:
    own = [each for each in found.trainings if each.task == task.name]
    trained = [each for each in own if each.status == "ok"]
    gate = Gate.of({each.implementation: each.losses for each in trained})
    panels = {entry.name: entry.panel for entry in found.run.plan.entries}
    rows = [_row(each, task, gate, panels[each.implementation]) for each in own]
    return LearntTask(task, gate, tuple(sorted(rows, key=lambda row: not row.is_trained)))


def _row(training: Training, task: LearningTask, gate: Gate, panel: str) -> Row:
    if training.status != "ok" or not task.is_judged or not gate.honest:
        return Row(training, None, None, panel)
    passes = gate.passes(training.losses) if panel == "attention" else None
    return Row(training, passes, gate.difference(training.losses), panel)
