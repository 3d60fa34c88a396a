"""Whether repeated calls give equal bits, and whether a row's output depends on its batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from suites.records.record import Agreement, Record

REPEATED: Final = "bitwise equal over {} repeats"
INDEPENDENT: Final = "a row is independent of its batch"
_TENSORS: Final = ("out", "dq", "dk", "dv")


def repeat_lines(records: Iterable[Record]) -> list[str]:
    """Two lines on one implementation, over all its records; a line is left out if not tested.

    "bitwise equal over 10 repeats: out yes, dq no", "a row is independent of its batch: yes"
    """
    found = list(records)
    answers = ((repeated(found), repeats_words(found)), (INDEPENDENT, batch_words(found)))
    return [f"{question}: {answer}" for question, answer in answers if answer]


def repeated(records: Sequence[Record]) -> str:
    """The first question, with the smallest number of repeats in these records."""
    return REPEATED.format(min((each.repeats for _, each in _repeated(records)), default=0))


def repeats_words(records: Sequence[Record]) -> str:
    """`out yes, dq no`: yes where no record has other bits; empty: not tested."""
    tested = [each for training, each in _repeated(records)]
    training = any(training for training, _ in _repeated(records))
    differing = {name for each in tested for name in each.differing}
    names = _TENSORS if training else _TENSORS[:1]
    words = (f"{name} {'no' if name in differing else 'yes'}" for name in names)
    return ", ".join(words) if tested else ""


def batch_words(records: Sequence[Record]) -> str:
    """`yes` or `no (differs from batch 2 on)`, by the smallest batch; empty: not tested."""
    batches = [
        each.agreement.batch_differs_from
        for each in records
        if each.agreement is not None and each.agreement.batch_differs_from is not None
    ]
    smallest = min(filter(None, batches), default=0)
    if not batches:
        return ""
    return f"no (differs from batch {smallest} on)" if smallest else "yes"


def _repeated(records: Sequence[Record]) -> list[tuple[bool, Agreement]]:
    """Whether the problem is of training, and the agreement, of records with repeated calls."""
    return [
        (each.problem.training, each.agreement)
        for each in records
        if each.agreement is not None and each.agreement.repeats
    ]
