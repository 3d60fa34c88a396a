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
from reports.views.problems import shared_words, without
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
    names = [analysis.run.name for analysis in found.analyses]
    last = len(names)
    changes = [_change(change, at) for at, change in enumerate(found.changes, 2)]
    return FirstScreen(
        runs=", ".join(f"{place} {name}" for place, name in enumerate(names, 1)),
        title=f"History of {counted(last, 'run')}: {newest.title}",
        faults=newest.faults,
        notice=newest.notice,
        cure=newest.cure,
        figures=first_screen.first_family(section(found).charts),
        key=_KEY,
        answers=tuple(reversed(changes)),
        sentences=(
            *_not_comparable(found),
            *(f"In run {last}, {each.sentence}" for each in newest.answers),
            *newest.sentences,
        ),
        preamble=f"Run {last}: {headline.preamble(found.analyses[-1])}",
    )


def _change(found: Comparison, at: int) -> Answer:
    """One run after the one before it: the verdicts counted, then the largest changes.

    at  the number of the later run, as on the chart
    """
    counts = Counter(row.verdict for row in found.rows if not row.is_baseline)
    return Answer(
        label=f"run {at} after run {at - 1}",
        start="" if counts else "nothing was measured in both",
        choices=tuple(_counted(word, counts[word]) for word in WORDS if counts[word]),
        lead=tuple(_largest(found)),
        details=tuple(_lost(found)),
    )


def _counted(word: str, count: int) -> Choice:
    """The number of rows with a verdict; changes stand out."""
    return Choice(f"{count} {word}") if word in _CHANGED else Choice("", f"{count} {word}")


def _largest(found: Comparison) -> Iterator[str]:
    """The largest changes, each with its interval, and its problem where there are several."""
    changed = [row for row in found.rows if row.verdict in _CHANGED and row.ratio]
    changed.sort(key=_size, reverse=True)
    problems = {row.problem for row in found.rows}
    shared = shared_words(problems)
    for row in changed[:MOST_CHANGES]:
        multiple = times_of(row.ratio, row.low, row.high, "its time before")
        place = f" on {without(row.problem, shared)}" if len(problems) > 1 else ""
        yield f"{abbreviated(row.implementation)} {multiple}{place}"


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
