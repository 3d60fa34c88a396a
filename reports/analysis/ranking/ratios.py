"""Log ratios of the times of all implementations of a panel, session by session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from impls.interface import Problem
from reports.analysis import processes
from reports.analysis.processes import Twins
from reports.analysis.verdicts import twins_of
from reports.rows.panels import panel_on
from suites.records.record import Record
from suites.stats.disturbance import DECIDED, judge_pair
from suites.stats.intervals import noise_floor
from suites.stats.pairing import pair
from suites.stats.verdicts import Verdict, judge, not_judged

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Ratios:
    """The ratios of one problem, number of threads and panel.

    names     the implementations
    sessions  the sessions that timed any of them, in order
    logs      ln(second / first) [sessions, first, second], computed as `pair` does; NaN where a
              session did not time both. An implementation with a sample of 0 ms has NaN only.
    delta     the smallest relative difference that counts
    twins     log ratios of the twins on the problem, from which the noise floor follows
    records   with the times, by implementation
    same      implementations that ran the same kernel as another one, with the other's name: a
              difference between the two is the cost of the call
    """

    names: tuple[str, ...]
    sessions: tuple[int, ...]
    logs: Array
    delta: float
    twins: Twins
    records: Mapping[str, Sequence[Record]]
    same: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def rivals(self) -> tuple[str, ...]:
        """The implementations that are ranked: one of those that ran the same kernel."""
        return tuple(name for name in self.names if name not in self.same)

    @cached_property
    def places(self) -> dict[str, int]:
        """The position of each name."""
        return {name: place for place, name in enumerate(self.names)}

    def between(self, first: str, second: str) -> list[float]:
        """One log ratio for each session that timed both."""
        own = self.logs[:, self.places[first], self.places[second]]
        return [float(each) for each in own[np.isfinite(own)]]

    def verdict(self, first: str, second: str) -> Verdict:
        """The verdict on the second one over sessions, by the rule of the table of verdicts.

        Only a decided verdict can be withheld because of disturbed rounds: `pair` is slow, and is
        called for no other.
        """
        logs = self.between(first, second)
        one, other = self.records[first], self.records[second]
        if fault := processes.fault(one, other, self.twins):
            return not_judged(fault, delta=self.delta)
        floor = noise_floor(self.twins.of(one, other), len(logs))
        found = judge(logs, delta=self.delta, floor=floor)
        disturbed = any(record.disturbed_rounds for record in (*one, *other))
        if found.word not in DECIDED or not disturbed:
            return found
        return judge_pair(pair(one, other), delta=self.delta, floor=floor)


Place = tuple[Problem, int, str]
"""A problem, the threads it was timed with, and a panel."""


def ratios_of(analysis: Analysis) -> Mapping[Place, Ratios]:
    """The ratios of every problem on which a panel has times, in the plan's order."""
    return {
        (problem, threads, panel_on(panel, problem.model)): _ratios(
            {name: found[name] for name in names},
            analysis.plan.delta,
            twins_of(found),
            {
                name: analysis.same_kernels[problem, name]
                for name in names
                if (problem, name) in analysis.same_kernels
            },
        )
        for (problem, threads), found in analysis.timed.items()
        for panel, names in analysis.plan.panels(found).items()
    }


def _ratios(
    found: Mapping[str, Sequence[Record]],
    delta: float,
    twins: Twins,
    same: Mapping[str, str],
) -> Ratios:
    names = tuple(found)
    zero = {name for name in names if any(min(each.times_ms) <= 0 for each in found[name])}
    by_session: dict[int, dict[int, Record]] = {}
    for place, name in enumerate(names):
        for record in found[name] if name not in zero else ():
            by_session.setdefault(record.session, {})[place] = record
    sessions = tuple(sorted(by_session))
    logs = np.full((len(sessions), len(names), len(names)), np.nan)
    for session, own in enumerate(map(by_session.__getitem__, sessions)):
        _fill(logs[session], own)
    return Ratios(names, sessions, logs, delta, twins, found, same)


def _fill(logs: Array, own: Mapping[int, Record]) -> None:
    """The ratios of one session: of medians, and of paired samples where rounds were shared."""
    places = list(own)
    medians = np.log([median(_counted(record)) for record in own.values()])
    logs[np.ix_(places, places)] = medians[None, :] - medians[:, None]
    for together in _with_shared_rounds(own):
        samples = np.log([_counted(own[place]) for place in together])
        paired = np.median(samples[None, :, :] - samples[:, None, :], axis=-1)
        logs[np.ix_(together, together)] = paired


def _with_shared_rounds(own: Mapping[int, Record]) -> Iterable[list[int]]:
    """Positions whose samples were taken in the same rounds, by the rule of `pair`."""
    groups: list[list[int]] = []
    for place, record in own.items():
        for group in groups if record.in_rounds else ():
            other = own[group[0]]
            if (
                len(other.times_ms) == len(record.times_ms)
                and other.conditions == record.conditions
            ):
                group.append(place)
                break
        else:
            if record.in_rounds:
                groups.append([place])
    return groups


def _counted(record: Record) -> list[float]:
    """The samples of the rounds that figures are computed from."""
    return [record.times_ms[index] for index in record.rounds]
