"""Series: one implementation on problems that differ in length only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from impls.interface import Problem
from impls.interface.problem import Fields
from reports.analysis.run_analysis import Analysis
from reports.rows.families import LENGTH, Group, groups
from reports.rows.outcomes import Outcome
from reports.rows.panels import MODELS, panels_of


@dataclass(frozen=True, slots=True)
class Series:
    """One implementation over lengths.

    problems  those it agrees on, the shortest first
    lacking   outcomes on the others, the shortest first
    """

    implementation: str
    problems: tuple[Problem, ...]
    lacking: tuple[Outcome, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The length of each of its problems."""
        return tuple(map(LENGTH.size, self.problems))


@dataclass(frozen=True, slots=True)
class Family:
    """The series of one chart, all of one panel; `group` has what their problems share."""

    panel: str
    group: Group[Outcome, Outcome]
    series: tuple[Series, ...]

    @property
    def problems(self) -> list[Problem]:
        """Every problem of its series, each once."""
        return list(dict.fromkeys(problem for own in self.series for problem in own.problems))


def families(analysis: Analysis) -> list[Family]:
    """The families of a run with two lengths or more, in the order of its charts.

    Steps of models have none: the growth of their other layers is not that of attention.
    """
    panels = (panel for panel in panels_of(analysis.plan) if panel != MODELS)
    return [family for panel in panels for family in _of_panel(analysis, panel)]


def _of_panel(analysis: Analysis, panel: str) -> Iterator[Family]:
    own = [row for row in analysis.outcomes if row.panel == panel]
    agreeing = [row for row in own if row.status == "ok"]
    others = [row for row in own if row.status != "ok"]
    for group in groups(LENGTH, agreeing, others):
        series = tuple(each for each in _series(group) if len(each.problems) > 1)
        if series:
            yield Family(panel, group, series)


def _series(group: Group[Outcome, Outcome]) -> Iterator[Series]:
    """By implementation and by every field but the length: one problem for each length."""
    found, lacking = _sorted_out(group.drawn), _sorted_out(group.lacking)
    for (name, rest), rows in sorted(found.items(), key=lambda each: each[0][0]):
        problems = tuple(row.problem for row in rows)
        yield Series(name, problems, tuple(lacking.get((name, rest), ())))


def _sorted_out(rows: Iterable[Outcome]) -> dict[tuple[str, Fields], list[Outcome]]:
    found: dict[tuple[str, Fields], list[Outcome]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: LENGTH.size(row.problem)):
        found[row.implementation, row.problem.without("length")].append(row)
    return found
