"""Runs of one machine in the order they were made: times over the runs, and changes.

Runs were measured at different times, so milliseconds are shown and not judged. A change is the
comparison of a run with the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from impls.interface import Problem
from reports.analysis.comparison import Comparison
from reports.analysis.differences import Difference
from reports.analysis.run_analysis import Analysis
from reports.analysis.run_comparison import runs
from reports.rows.measurements import Measurement
from suites.records.record import Record
from suites.records.store import Run

Place = tuple[Problem, str, int]
"""A problem, an implementation on it, and the threads it was timed with."""
Points = dict[int, Measurement]
"""Measurements by the position of their run."""


@dataclass(frozen=True, slots=True)
class History:
    """Several runs, the oldest first.

    changes  each run but the first compared with the one before it
    """

    analyses: tuple[Analysis, ...]
    changes: tuple[Comparison, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What differs between the machines or settings of neighbours."""
        return tuple(each for change in self.changes for each in change.differences)


def history(stored: Iterable[tuple[Run, list[Record]]]) -> History:
    """The history of runs with their records. Raises ValueError for fewer than two runs."""
    ordered = sorted(stored, key=lambda each: each[0].started)
    names = [run.name for run, _ in ordered]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise ValueError(
            f"a history of {', '.join(names) or 'no run'}; expected two runs or more, each once "
            "(python run_bench.py list runs)"
        )
    return History(
        analyses=tuple(Analysis(*each) for each in ordered),
        changes=tuple(runs(*base, *new) for base, new in pairwise(ordered)),
    )


def series(found: History) -> dict[Place, Points]:
    """The measurements of each problem, implementation and threads, by the position of the run."""
    every: dict[Place, Points] = {}
    for at, analysis in enumerate(found.analyses):
        for row in analysis.measurements:
            place = row.problem, row.implementation, row.threads
            every.setdefault(place, {})[at] = row
    return every
