"""The Pareto frontier of time and memory on the largest problems of each mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from impls.interface import Mask, Problem
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of

MOST_OF_A_MASK: Final = 2
"""Problems of one mask."""
MOST_PROBLEMS: Final = 12
"""Problems of one panel; those of the first masks in the plan's order."""


def largest(analysis: Analysis) -> dict[str, dict[Problem, list[Measurement]]]:
    """By panel the largest problems with two points or more, each with its rows by time."""
    found: dict[str, dict[Problem, list[Measurement]]] = {}
    for panel in panels_of(analysis.plan):
        by_problem: dict[Problem, list[Measurement]] = {}
        for row in analysis.with_most_threads:
            if row.panel == panel and row.median_ms and row.peak_bytes is not None:
                by_problem.setdefault(row.problem, []).append(row)
        chosen = _chosen(problem for problem, rows in by_problem.items() if len(rows) > 1)
        if chosen:
            found[panel] = {
                problem: sorted(by_problem[problem], key=lambda row: row.median_ms)
                for problem in chosen
            }
    return found


def frontier(rows: Sequence[Measurement]) -> list[bool]:
    """Whether each row is on the frontier: no other has neither more time nor more bytes.

    Of implementations that ran the same kernel, one is ranked.
    """
    points = [(row.median_ms, row.peak_bytes or 0) for row in rows]
    rivals = [point for row, point in zip(rows, points, strict=True) if not row.same_kernel]
    return [
        not row.same_kernel
        and not any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in rivals)
        for row, own in zip(rows, points, strict=True)
    ]


def _chosen(problems: Iterable[Problem]) -> list[Problem]:
    by_mask: dict[Mask, list[Problem]] = {}
    for problem in problems:
        by_mask.setdefault(problem.mask, []).append(problem)
    every = [
        sorted(own, key=lambda problem: -problem.flops)[:MOST_OF_A_MASK] for own in by_mask.values()
    ]
    return [problem for own in every for problem in own][:MOST_PROBLEMS]
