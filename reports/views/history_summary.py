"""The first screen of a history: what changed from run to run, with the largest changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.history import History
from reports.views import differences, first_screen, headline
from reports.views.answer import Answer, Choice
from reports.views.first_screen import FirstScreen
from reports.views.history import section
from reports.views.numbers import times_of
from reports.views.text import abbreviated, counted
from suites.stats.verdicts import WORDS

MOST_CHANGES: Final = 3
"""The largest changes of each run that are stated; the table has all."""
_CHANGED: Final = ("faster", "slower")
_KEY: Final = (
    "A point is a run's median, its bar the spread of its sessions. [ ]: 95 % interval of the "
    "change, relative to a baseline of both runs."
)


def of_history(found: History) -> FirstScreen:
    """What changed, the latest first, then the answer of the newest run."""
    newest = first_screen.of_run(found.analyses[-1])
    runs = counted(len(found.analyses), "run")
    name = abbreviated(newest.runs)
    return FirstScreen(
        runs=", ".join(analysis.run.name for analysis in found.analyses),
        title=f"History of {runs}: {newest.title}",
        faults=newest.faults,
        notice=newest.notice,
        figures=first_screen.first_family(section(found).charts),
        key=_KEY,
        answers=tuple(map(_change, reversed(found.changes))),
        sentences=(
            *_not_comparable(found),
            *(f"In {name}, {each.sentence}" for each in newest.answers),
            *newest.sentences,
        ),
        preamble=f"Newest run: {headline.preamble(found.analyses[-1])}",
    )


def _change(found: Comparison) -> Answer:
    """One run after another: the verdicts counted, then the largest changes."""
    counts = Counter(row.verdict for row in found.rows)
    largest = list(_largest(found))
    return Answer(
        label=f"{abbreviated(found.new)} after {abbreviated(found.base)}",
        start="" if counts else "nothing was measured in both",
        choices=tuple(_counted(word, counts[word]) for word in WORDS if counts[word]),
        lead=tuple(largest),
        details=tuple(_lost(found)),
    )


def _counted(word: str, count: int) -> Choice:
    """The number of rows with a verdict; changes stand out."""
    return Choice(f"{count} {word}") if word in _CHANGED else Choice("", f"{count} {word}")


def _largest(found: Comparison) -> Iterator[str]:
    changed = [row for row in found.rows if row.verdict in _CHANGED and row.ratio]
    changed.sort(key=_size, reverse=True)
    for row in changed[:MOST_CHANGES]:
        multiple = times_of(row.ratio, row.low, row.high, "its time before")
        yield f"{abbreviated(row.implementation)} {multiple} on {row.problem}"


def _size(row: ComparisonRow) -> float:
    """The size of a change, the same for twice and for half the time."""
    return abs(math.log(row.ratio)) if row.ratio else 0.0


def _lost(found: Comparison) -> Iterator[str]:
    if found.lost:
        names = ", ".join(abbreviated(each.implementation) for each in found.lost)
        yield f"no longer timed: {names}"


def _not_comparable(found: History) -> Iterator[str]:
    unlike = [text for each in found.changes for text in differences.sentences(each)]
    if unlike:
        yield f"These runs are not comparable: {'; '.join(unlike)}."
