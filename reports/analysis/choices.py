"""Which choice of an implementation, as block_q=64, is fastest on each problem."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Judged, paired, twins_of
from reports.rows.timings import median_ms
from suites.records.record import Record

_BRACKETS: Final = re.compile(r"\[([^]]*)\]")


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice as it is set, block_q=64, with its median; no settings: the default."""

    settings: tuple[str, ...]
    median_ms: float


@dataclass(frozen=True, slots=True)
class Rival:
    """Another choice, and the verdict on its time over that of the fastest."""

    choice: Choice
    judged: Judged

    @property
    def is_faster(self) -> bool:
        """Whether it is shown to be faster."""
        return self.judged.verdict == "faster"

    @property
    def is_slower(self) -> bool:
        """Whether it is shown to be slower."""
        return self.judged.verdict == "slower"


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one implementation on one problem.

    best    the fastest; None where each is slower than another one
    rivals  the others, by their medians
    """

    implementation: str
    problem: Problem
    best: Choice | None
    rivals: tuple[Rival, ...]


def choices(analysis: Analysis) -> list[Choices]:
    """Each problem and implementation with times of several choices, with the most threads."""
    return [
        _judged(name, problem, own, partial(paired, twins=twins_of(found), plan=analysis.plan))
        for (problem, threads), found in analysis.timed.items()
        if threads == analysis.most_threads
        for name, own in _several(found).items()
    ]


Timed = tuple[Choice, list[Record]]
Beside = Callable[[list[Record], list[Record]], Judged]
"""Returns the verdict on the second one's time over the first one's."""


def _several(found: dict[str, list[Record]]) -> dict[str, list[Timed]]:
    """The choices of each implementation that has several, the fastest first."""
    by_name: dict[str, list[Timed]] = defaultdict(list)
    for name, records in found.items():
        settings = tuple(_BRACKETS.findall(name))
        choice = Choice(settings, median_ms(records) or 0.0)
        by_name[_BRACKETS.sub("", name)].append((choice, records))
    several = {name: own for name, own in by_name.items() if len(own) > 1}
    return {name: sorted(own, key=lambda each: each[0].median_ms) for name, own in several.items()}


def _judged(name: str, problem: Problem, own: Sequence[Timed], beside: Beside) -> Choices:
    """The fastest by its median, unless pairs within sessions show another to be faster."""
    for best, records in own:
        rivals = tuple(
            Rival(other, beside(records, theirs)) for other, theirs in own if other is not best
        )
        if not any(each.is_faster for each in rivals):
            return Choices(name, problem, best, rivals)
    return Choices(name, problem, None, ())
