"""The gate on training in words, and the table of a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.analysis.learning.learnt import LearntTask, Row
from reports.views import sections
from reports.views.numbers import percent, three_digits
from reports.views.problems import facets
from reports.views.sections import Table, Value
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated
from reports.views.values import figure
from suites.learning.gate import FACTOR, FEWEST, HONEST, JUDGED_STEPS

HEAD = (
    "implementation",
    "gate",
    "difference",
    "allowed",
    "validation accuracy",
    "seconds",
    "CPU seconds",
    "training accuracy",
    "gap",
    "training loss",
    "validation loss",
    "computes",
)
"""Columns of a judged task; the page shows the first of them at first."""
NAMES = (
    "implementation", "gate", "difference", "allowed", "validation_accuracy", "seconds",
    "cpu_seconds", "training_accuracy", "gap", "training_loss", "validation_loss",
    "computes",
)  # fmt: skip
SHOWN = 6


def small(value: float | None) -> str:
    """A difference of losses, as 1.6e-07; empty for none."""
    return "" if value is None else f"{value:.1e}"


def sentence(found: LearntTask) -> str:
    """The verdict on a judged task in one sentence."""
    name, allowed = found.task.name, found.gate.allowed
    judged = [row for row in found.trained if row.passes is not None]
    if allowed is None:
        trained = ", ".join(found.gate.honest) or "none"
        return (
            f"{name}: no verdict; the threshold needs {FEWEST} of {', '.join(HONEST)}, "
            f"trained: {trained}."
        )
    if found.failing:
        failing = ", ".join(
            f"{_name(row)} (differs by {small(row.difference)})" for row in found.failing
        )
        verb = "fail" if len(found.failing) > 1 else "fails"
        return f"{name}: {failing} {verb} the gate; {small(allowed)} is allowed."
    largest = max(judged, key=lambda row: row.difference or 0.0)
    return (
        f"{name}: all {len(judged)} judged implementations pass the gate; the largest difference "
        f"is {small(largest.difference)} ({_name(largest)}), {small(allowed)} is allowed."
    )


def explanation(found: LearntTask) -> str:
    """The rule of the gate, in two sentences."""
    honest = ", ".join(found.gate.honest) or "none"
    return (
        f"The gate compares the first {JUDGED_STEPS} losses with those of {honest}. Allowed is "
        f"{FACTOR} times the largest difference among these, from this run."
    )


def verdict(row: Row) -> str:
    """passes, FAILS, not judged, or why it was not trained."""
    if row.passes is not None:
        return "passes" if row.passes else "FAILS"
    if not row.is_trained:
        return STATUS_WORDS[row.training.status]
    return "not judged"


def _name(row: Row) -> str:
    return abbreviated(row.training.implementation)


def table(found: LearntTask) -> Table:
    """The trained models of a judged task."""
    return Table(
        caption=f"{found.task.name}: the models after {_steps(found.trained)} steps.",
        head=HEAD,
        rows=tuple(_row(row, found) for row in found.trained),
        shown=SHOWN,
        names=NAMES,
    )


def _steps(rows: Sequence[Row]) -> int:
    return len(rows[0].training.losses)


def _row(row: Row, found: LearntTask) -> sections.Row:
    training, last = row.training, row.training.looks[-1]
    judged = row.panel == "attention"
    return sections.Row(
        (
            Value(training.implementation),
            Value(verdict(row)),
            figure(row.difference, small(row.difference), "-"),
            figure(found.gate.allowed, small(found.gate.allowed) if judged else "", "-"),
            figure(last.validation_accuracy, percent(last.validation_accuracy)),
            figure(training.seconds, three_digits(training.seconds)),
            figure(training.cpu_seconds, three_digits(training.cpu_seconds)),
            figure(last.accuracy, percent(last.accuracy)),
            figure(last.gap, f"{100 * last.gap:.1f} %"),
            figure(last.loss, three_digits(last.loss)),
            figure(last.validation_loss, three_digits(last.validation_loss)),
            Value(row.panel),
        ),
        facets(training.problem, training.implementation),
    )


def not_trained(found: LearntTask) -> Table:
    """The implementations that were not trained, each with its reason."""
    return Table(
        caption=f"{found.task.name}: not trained.",
        head=("implementation", "state", "reason"),
        rows=tuple(
            sections.Row(
                (
                    Value(row.training.implementation),
                    Value(STATUS_WORDS[row.training.status]),
                    Value(row.training.reason),
                ),
                facets(row.training.problem, row.training.implementation),
            )
            for row in found.untrained
        ),
        names=("implementation", "state", "reason"),
    )


def reasons(found: LearntTask, named: Sequence[str]) -> Iterator[str]:
    """A line for each fault, and for each named implementation that was not trained."""
    for row in found.untrained:
        if row.is_fault or row.training.implementation in named:
            state = STATUS_WORDS[row.training.status]
            yield f"{found.task.name}: {_name(row)} {state}: {row.training.reason}"
