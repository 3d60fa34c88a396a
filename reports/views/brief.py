"""The rows that people paste: time, ratio, verdict and memory, fastest first on each problem."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.recommendations import size_of
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.families import Kind, without_sizes
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.views.verdicts import verdict
from suites.records.record import Pair

BASELINE: Final = "baseline"
"""Stands for the verdict of the implementation that the others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefRow:
    """One implementation on one problem, with the most threads of the run.

    judged   against the baseline; None for the baseline itself, and where there is none
    verdict  in words; empty where nothing was compared
    """

    measured: Measurement
    judged: VerdictRow | None
    verdict: str

    @property
    def problem(self) -> Problem:
        """The problem that was measured."""
        return self.measured.problem

    @property
    def implementation(self) -> str:
        """The name of the implementation."""
        return self.measured.implementation


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """The rows of one panel.

    left  problems of the panel that have no row, for brevity
    """

    panel: str
    rows: tuple[BriefRow, ...]
    left: int = 0

    @property
    def problems(self) -> list[Problem]:
        """The problems with rows, in their order."""
        return list(dict.fromkeys(row.problem for row in self.rows))

    @property
    def names(self) -> list[str]:
        """The implementations with rows, in their order."""
        return list(dict.fromkeys(row.implementation for row in self.rows))

    @property
    def baselines(self) -> list[str]:
        """The baselines of the rows, each once."""
        names = (row.judged.baseline for row in self.rows if row.judged is not None)
        return list(dict.fromkeys(names))


def briefs(analysis: Analysis, *, most: int | None = None) -> list[Brief]:
    """The rows of each panel that has times.

    most  rows of a panel; of one with more, only the largest problem of each kind has rows
    """
    found = (_of_panel(analysis, panel, most) for panel in panels_of(analysis.plan))
    return [each for each in found if each.rows]


def _of_panel(analysis: Analysis, panel: str, most: int | None) -> Brief:
    rows = [row for row in analysis.with_most_threads if row.panel == panel]
    every = dict.fromkeys(row.problem for row in rows)
    whole = most is None or len(rows) <= most
    kept = every if whole else _largest(every)
    own: dict[Problem, list[Measurement]] = {}
    for row in sorted(rows, key=lambda row: row.median_ms):
        own.setdefault(row.problem, []).append(row)
    judged = [row for row in analysis.verdicts if row.threads == analysis.most_threads]
    verdicts = {(row.problem, row.implementation): row for row in judged}
    baselines = {(row.problem, row.baseline) for row in judged}
    return Brief(
        panel=panel,
        rows=tuple(_row(row, verdicts, baselines) for name in kept for row in own[name]),
        left=len(every) - len(kept),
    )


def _largest(problems: Iterable[Problem]) -> dict[Problem, None]:
    """The largest problem of each kind."""
    kinds: dict[Kind, Problem] = {}
    for problem in problems:
        kind = without_sizes(problem)
        kinds[kind] = max(kinds.get(kind, problem), problem, key=size_of)
    return dict.fromkeys(kinds.values())


def _row(
    measured: Measurement, verdicts: Mapping[Pair, VerdictRow], baselines: Collection[Pair]
) -> BriefRow:
    place = (measured.problem, measured.implementation)
    judged = verdicts.get(place)
    if judged is None:
        word = BASELINE if place in baselines else ""
        return BriefRow(measured=measured, judged=None, verdict=word)
    return BriefRow(measured=measured, judged=judged, verdict=verdict(judged))
