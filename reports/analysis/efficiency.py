"""Parallel efficiency: times with more threads against the time with the fewest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from impls.interface.problem import Fields
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of

MOST_PROBLEMS: Final = 12
"""Problems of one panel; the first in the plan's order."""

Lines = dict[str, dict[int, Measurement]]
"""Measurements by implementation and threads, the fewest threads first."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The longest problems of one panel that differ in more than their length."""

    panel: str
    lines: Mapping[Problem, Lines]


def efficiencies(analysis: Analysis) -> list[Efficiency]:
    """One for each panel; none where the plan has one number of threads."""
    if len(analysis.plan.threads) < 2:
        return []
    found = (Efficiency(panel, _of_panel(analysis, panel)) for panel in panels_of(analysis.plan))
    return [each for each in found if each.lines]


def efficiency(own: Mapping[int, Measurement]) -> list[float]:
    """t(fewest) * fewest / (t(n) * n) for each number of threads n; 1 is ideal."""
    fewest = min(own)
    work = own[fewest].median_ms * fewest
    return [work / (row.median_ms * threads) for threads, row in own.items()]


def _of_panel(analysis: Analysis, panel: str) -> dict[Problem, Lines]:
    lines = _lines(analysis, panel)
    longest = _longest(problem for problem in analysis.plan.problems if problem in lines)
    return {problem: lines[problem] for problem in longest[:MOST_PROBLEMS]}


def _longest(problems: Iterable[Problem]) -> list[Problem]:
    """Of problems that differ in length only, the longest."""
    found: dict[Fields, Problem] = {}
    for problem in problems:
        kind = problem.without("length")
        if kind not in found or problem.key_length > found[kind].key_length:
            found[kind] = problem
    return list(found.values())


def _lines(analysis: Analysis, panel: str) -> dict[Problem, Lines]:
    """Implementations with a time with the fewest threads and with more, by problem."""
    found: dict[tuple[Problem, str], dict[int, Measurement]] = defaultdict(dict)
    for row in analysis.measurements:
        if row.panel == panel and row.median_ms:
            found[row.problem, row.implementation][row.threads] = row
    lines: dict[Problem, Lines] = defaultdict(dict)
    for (problem, name), own in sorted(found.items(), key=lambda each: each[0][1]):
        if len(own) > 1 and min(analysis.plan.threads) in own:
            lines[problem][name] = dict(sorted(own.items()))
    return lines
