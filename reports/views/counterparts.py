"""Counterparts in words: the backward share, the cost of positions, and 16 bits beside float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reports.analysis.counterparts import Counterpart, dtypes, encoding, encodings, trainings
from reports.analysis.run_analysis import Analysis
from reports.views.numbers import milliseconds, percent, ratio_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that counterparts answer.

    suite    that asks it; other suites show it on demand
    found    the counterparts of a run
    note     the method, as sentences
    columns  the cells of a counterpart by head, after the problem and the implementation
    ordered  the numbers that the cells are sorted by
    """

    suite: str
    heading: str
    note: str
    found: Callable[[Analysis], list[Counterpart]]
    columns: dict[str, Callable[[Counterpart], str]]
    ordered: dict[str, Callable[[Counterpart], float | None]]


def _times(each: Counterpart) -> str:
    ends = each.interval
    return ratio_in(each.ratio, *((ends.low, ends.high) if ends else (None, None)))


def _share(each: Counterpart) -> float:
    """The backward share: training minus forward, over training."""
    return 1 - 1 / each.ratio


def _backward(each: Counterpart) -> str:
    said = percent(_share(each))
    if each.interval is None:
        return said
    low, high = (percent(1 - 1 / end) for end in (each.interval.low, each.interval.high))
    return f"{said} [{low}, {high}]"


def _own(each: Counterpart) -> str:
    return milliseconds(each.row.median_ms)


def _other(each: Counterpart) -> str:
    return milliseconds(each.other.median_ms)


def _error(each: Counterpart) -> str:
    return percent(each.row.evidence.relative_error)


def _other_error(each: Counterpart) -> str:
    return percent(each.other.evidence.relative_error)


_TIMES: Final[dict[str, Callable[[Counterpart], float | None]]] = {
    "times as long [95 %]": lambda each: each.ratio
}
QUESTIONS: Final = (
    Question(
        suite="training",
        heading="The backward pass",
        note="The backward share is an estimate: training minus forward of the same problem, over "
        "training. Both were timed apart, in the same sessions; the interval is over the sessions. "
        "A forward pass in training also stores what the backward pass needs, which counts as "
        "backward here.",
        found=trainings,
        columns={
            "backward share [95 %]": _backward,
            "training ms": _own,
            "forward ms": _other,
        },
        ordered={"backward share [95 %]": _share},
    ),
    Question(
        suite="positions",
        heading="The cost of positions",
        note="The time with an encoding of positions over the time without it: of the same "
        "implementation, or of the same layer. The interval is over the sessions that timed both.",
        found=encodings,
        columns={
            "positions": lambda each: encoding((each.row.problem, each.row.implementation)),
            "times as long [95 %]": _times,
            "ms": _own,
            "ms without": _other,
        },
        ordered=_TIMES,
    ),
    Question(
        suite="dtypes",
        heading="16 bits beside float32",
        note="The time in 16 bits over the time in float32 of the same problem and implementation. "
        "The error is RMS(error) over RMS(output) against the reference in float64.",
        found=dtypes,
        columns={
            "times as long [95 %]": _times,
            "error": _error,
            "error in float32": _other_error,
            "ms": _own,
            "ms in float32": _other,
        },
        ordered=_TIMES,
    ),
)


def questions_of(analysis: Analysis) -> list[Question]:
    """The questions that the suite of a run asks."""
    return [each for each in QUESTIONS if each.suite == analysis.plan.suite]
