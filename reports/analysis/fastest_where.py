"""The fastest implementation of each problem on each of several machines.

A problem on two machines is the same one where all but its device is equal. Nothing is compared
across machines: each has its own ranking, and a ratio to its own baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from impls.interface import Problem
from reports.analysis.machines import Machines, Side
from reports.analysis.ranking.ranking import Ranking
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from reports.rows.panels import APPROXIMATIONS


@dataclass(frozen=True)
class Column:
    """A machine, and a device of it where its problems are on several."""

    side: Side
    device: str

    @property
    def label(self) -> str:
        """The label of the machine, with the device where it has several."""
        several = len({problem.device for problem in self.side.analysis.plan.problems}) > 1
        return f"{self.side.label} {self.device}" if several else self.side.label

    @cached_property
    def rankings(self) -> dict[tuple[Problem, str], Ranking]:
        """Those with the most threads, by problem and panel."""
        most = self.side.analysis.most_threads
        return {
            (problem, panel): found
            for (problem, threads, panel), found in self.side.analysis.rankings.items()
            if threads == most
        }

    def has(self, problem: Problem) -> bool:
        """Whether its plan has the problem, on its device."""
        return self.on_device(problem) in self.side.analysis.plan.problems

    def on_device(self, problem: Problem) -> Problem:
        """The problem on its device."""
        return replace(problem, device=self.device)

    def fastest(self, problem: Problem, panel: str) -> Fastest | None:
        """The fastest of a panel on a problem; None without a time."""
        here = self.on_device(problem)
        found = self.rankings.get((here, panel))
        if found is None:
            return None
        pair = (here, found.name)
        return Fastest(
            ranking=found,
            measured=self.side.measurements[pair],
            verdict=self.side.verdicts.get(pair),
            is_baseline=pair in self.side.baselines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fastest:
    """The fastest of a panel on a problem and machine.

    ranking      it, and its rivals there
    measured     its time
    verdict      on its time over that of the baseline there; None: it is the baseline, or it was
                 not compared with one
    is_baseline  whether it is the baseline itself
    """

    ranking: Ranking
    measured: Measurement
    verdict: VerdictRow | None
    is_baseline: bool


def columns(found: Machines) -> list[Column]:
    """Every machine with each device that its problems are on, in order."""
    return [
        Column(side, device)
        for side in found.sides
        for device in dict.fromkeys(problem.device for problem in side.analysis.plan.problems)
    ]


def rows(every: list[Column]) -> dict[str, list[Problem]]:
    """The problems that any machine has a time of, by panel, the largest first; on the CPU."""
    panels: dict[str, dict[Problem, None]] = {}
    for panel, problem in _timed(every):
        panels.setdefault(panel, {})[replace(problem, device="cpu")] = None
    return {panel: sorted(own, key=lambda each: -each.flops) for panel, own in panels.items()}


def _timed(every: list[Column]) -> Iterator[tuple[str, Problem]]:
    return (
        (panel, problem)
        for column in every
        for problem, panel in column.rankings
        if panel != APPROXIMATIONS
    )
