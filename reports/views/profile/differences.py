"""The section of a profile's page: where the difference of two implementations comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.analysis.profile.differences import (
    MemoryDifference,
    TimeDifference,
    memory_difference,
    pair,
    time_difference,
)
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.profile import difference_tables
from reports.views.profile import memory_difference as memory_views
from reports.views.profile import time_difference as time_views
from reports.views.sections import Section
from reports.views.text import abbreviated
from suites.records.profile import Profile

HEADING: Final = "Where the difference comes from"
OF_LONGEST: Final = "On the problem with the longest call, {}; charts and tables have all of them:"


@dataclass(frozen=True, slots=True)
class _Compared:
    """Two implementations on one problem.

    lacking  why the difference in time has no parts; empty where it has
    """

    problem: Problem
    time: TimeDifference | None
    memory: MemoryDifference | None
    lacking: str

    @property
    def sentences(self) -> list[str]:
        """Sentences on the parts of the differences."""
        time = time_views.sentences(self.time) if self.time else [self.lacking]
        return [*time, *(memory_views.sentences(self.memory) if self.memory else [])]


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none without a second implementation."""
    every = list(_compared(found))
    if not every:
        return []
    several, longest = len(every) > 1, _longest(found, every)
    every = [longest, *(each for each in every if each is not longest)]
    both = [(each, str(each.problem) if several else "") for each in every]
    return [
        Section(
            id="difference",
            heading=HEADING,
            sentences=(
                *([OF_LONGEST.format(longest.problem)] if several else []),
                *longest.sentences,
            ),
            charts=(
                *(time_views.chart(each.time, label) for each, label in both if each.time),
                *(memory_views.chart(each.memory, label) for each, label in both if each.memory),
            ),
            tables=(
                *(difference_tables.of_time(each.time) for each in every if each.time),
                *(difference_tables.of_memory(each.memory) for each in every if each.memory),
            ),
        )
    ]


def answers(found: ProfiledRun) -> list[str]:
    """The parts of the difference in time, on the problem with the longest call."""
    every = list(_compared(found))
    if not every:
        return []
    longest = _longest(found, every)
    return time_views.parts(longest.time) if longest.time else [longest.lacking]


def _longest(found: ProfiledRun, every: Sequence[_Compared]) -> _Compared:
    """Of the problem with the longest call; where it has no pair, the first one."""
    return next((each for each in every if each.problem == found.longest), every[0])


def _compared(found: ProfiledRun) -> Iterator[_Compared]:
    for problem in found.problems:
        if both := pair(found, problem):
            time = time_difference(found, *both)
            lacking = "" if time else _lacking(found, *both)
            yield _Compared(problem, time, memory_difference(*both), lacking)


def _lacking(found: ProfiledRun, *both: Profile) -> str:
    """The reason why the difference in time has no parts."""
    failed = [each for each in both if each.fault]
    unseen = [each for each in both if each.unseen or not each.nodes]
    if failed:
        name = abbreviated(failed[0].implementation)
        return f"The difference in time has no parts: {name} failed under the profiler."
    if unseen:
        name = abbreviated(unseen[0].implementation)
        return f"The difference in time has no parts: the profiler does not see the work of {name}."
    untimed = next(each for each in both if found.measurement(each) is None)
    name = abbreviated(untimed.implementation)
    return f"The difference in time has no parts: the run has no times of {name}."
