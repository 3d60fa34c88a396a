"""Each implementation against the baseline of its problem: ratio, interval, verdict.

Every panel is judged within itself and has a baseline of its own. With --against, implementations
of other panels are compared with that baseline as well, in rows of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from statistics import fmean, median
from typing import Any

from impls.interface import Problem
from reports.analysis import processes
from reports.analysis.processes import Twins
from reports.rows.answers import Timed
from reports.rows.panels import panel_on
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats.disturbance import judge_pair
from suites.stats.intervals import Basis, Interval, noise_floor, over_sessions
from suites.stats.pairing import Pair, pair
from suites.stats.verdicts import Verdict, Word, not_judged

Panel = dict[str, list[Record]]
"""The records of one problem that may be ranked together, by implementation."""
Place = tuple[Problem, str]
"""A problem and an implementation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict as fields of a row.

    ratio, low, high  a time over the other's, with its 95 % interval; below 1 it is faster
    basis             what the interval rests on: sessions, or one process
    floor             the noise floor of the problem, from its twins; relative
    more_sessions     about how many more sessions would settle what is inconclusive
    reasons           why nothing was concluded, and notes on the pairing, in words
    """

    ratio: float | None
    low: float | None
    high: float | None
    basis: Basis | None
    floor: float | None
    verdict: Word
    more_sessions: int | None
    reasons: tuple[str, ...]

    @staticmethod
    def of(verdict: Verdict, note: str = "") -> Judged:
        """The fields of a verdict and a note on its pairs."""
        interval = verdict.interval
        return Judged(
            ratio=verdict.ratio,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            basis=interval.basis if interval else None,
            floor=verdict.floor,
            verdict=verdict.word,
            more_sessions=verdict.more_sessions,
            reasons=tuple(text for text in (verdict.reason, note) if text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired(Judged):
    """A verdict on two implementations of one run, from pairs within its sessions.

    sessions   sessions that timed both
    rounds     rounds of these sessions, of which `disturbed` were disturbed
    ratio_all  the ratio with the disturbed rounds, which `ratio` leaves out
    low_all, high_all  its 95 % interval over the sessions; None without one
    withheld   whether the verdict was decided, and other rounds contradict it
    reached    whether the interval is as narrow as the plan's precision; None without one
    """

    sessions: int
    rounds: int
    disturbed: int
    ratio_all: float | None
    low_all: float | None
    high_all: float | None
    withheld: bool
    reached: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow(Paired):
    """An implementation against the baseline of its problem and panel.

    same_kernel  the baseline, where the implementation ran its kernel; else empty
    """

    problem: Problem
    implementation: str
    baseline: str
    panel: str
    threads: int
    same_kernel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossRow(VerdictRow):
    """An implementation against a baseline of another panel, which computes another function.

    relative_error  RMS(error) / RMS(reference) of its output; None: not compared
    """

    relative_error: float | None


def verdicts(plan: Plan, timed: Timed, same: Mapping[Place, str] | None = None) -> list[VerdictRow]:
    """One row for each problem, number of threads and implementation beside a baseline.

    The baseline has no row of its own, nor has a pair with a record that is not ok in any session.

    same  by problem and implementation, the one that ran the same kernel
    """
    ran = same or {}
    return [
        replace(row, same_kernel=row.baseline)
        if ran.get((row.problem, row.implementation)) == row.baseline
        else row
        for place, found in timed.items()
        for name, panel in panels(plan, place[0], found)
        if (baseline := plan.baseline_of(panel, place[0].device))
        for row in _against(plan, place, name, panel, baseline, twins_of(found))
    ]


def across(plan: Plan, timed: Timed, errors: Mapping[Place, float | None]) -> list[AcrossRow]:
    """The baseline that --against names beside the implementations of other panels.

    errors  relative RMS error of the output, by problem and implementation
    """
    if not plan.across:
        return []
    panel_of = {entry.name: entry.panel for entry in plan.entries}
    return [
        AcrossRow(
            **shared_fields(row, VerdictRow),
            relative_error=errors.get((row.problem, row.implementation)),
        )
        for place, found in timed.items()
        if plan.baseline in found
        for name, names in plan.panels(found).items()
        if name != panel_of[plan.baseline]
        for row in _against(
            plan,
            place,
            name,
            {each: found[each] for each in (plan.baseline, *names)},
            plan.baseline,
            twins_of(found),
        )
    ]


def run_floor(timed: Timed) -> float | None:
    """The noise floor of a run, relative, from its twins on all problems together.

    Identical code differs by no more in 95 % of cases. None without a twin.
    """
    return _floor_of(twins_of(each).within for each in timed.values())


def between_floor(timed: Timed) -> float | None:
    """The noise floor between processes of a run; None where all rows share one."""
    return _floor_of(twins_of(each).between for each in timed.values())


def _floor_of(every: Iterable[Sequence[float]]) -> float | None:
    twins = [found for found in every if found]
    if not twins:
        return None
    sessions = round(median(len(found) for found in twins))
    return noise_floor(list(chain.from_iterable(twins)), sessions)


def paired(base: Iterable[Record], other: Iterable[Record], twins: Twins, plan: Plan) -> Paired:
    """Two implementations on one problem, with the same threads."""
    base, other = list(base), list(other)
    found, verdict = _judged(base, other, twins, plan.delta)
    own = Judged.of(verdict, "; ".join(filter(None, (found.note, _host_bound([*base, *other])))))
    with_all = over_sessions(found.all_log_ratios)
    return Paired(
        **shared_fields(own, Judged),
        sessions=len(found.log_ratios),
        rounds=found.tried,
        disturbed=found.disturbed,
        ratio_all=math.exp(fmean(found.all_log_ratios)) if found.all_log_ratios else None,
        low_all=with_all.low if isinstance(with_all, Interval) else None,
        high_all=with_all.high if isinstance(with_all, Interval) else None,
        withheld=verdict.withheld,
        reached=_reached(verdict, plan.precision),
    )


def shared_fields(row: Judged, kind: type[Judged]) -> dict[str, Any]:
    """The fields of a row that are those of `kind`, for a row that has them too."""
    return {field.name: getattr(row, field.name) for field in fields(kind)}


def panels(plan: Plan, problem: Problem, found: dict[str, list[Record]]) -> list[tuple[str, Panel]]:
    """What may be ranked together on a problem, by panel."""
    return [
        (panel_on(panel, problem.model), {name: found[name] for name in names})
        for panel, names in plan.panels(found).items()
    ]


def twins_of(found: dict[str, list[Record]]) -> Twins:
    """The log ratios of the twins on one problem."""
    return processes.twins(chain.from_iterable(found.values()))


def _against(
    plan: Plan,
    place: tuple[Problem, int],
    panel_name: str,
    panel: Panel,
    baseline: str,
    twins: Twins,
) -> Iterator[VerdictRow]:
    problem, threads = place
    for name, own in panel.items():
        if name != baseline:
            found = paired(panel[baseline], own, twins, plan)
            yield VerdictRow(
                problem=problem,
                implementation=name,
                baseline=baseline,
                panel=panel_name,
                threads=threads,
                **shared_fields(found, Paired),
            )


def _judged(
    base: Sequence[Record], other: Sequence[Record], twins: Twins, delta: float
) -> tuple[Pair, Verdict]:
    if fault := processes.fault(base, other, twins):
        return Pair(), not_judged(fault, delta=delta)
    try:
        found = pair(base, other)
    except ValueError as error:  # a sample of 0 ms
        return Pair(), not_judged(str(error), delta=delta)
    floor = noise_floor(twins.of(base, other), len(found.log_ratios))
    return found, judge_pair(found, delta=delta, floor=floor)


def _host_bound(records: Iterable[Record]) -> str:
    """Which of the two times are launch times; empty for none."""
    names = dict.fromkeys(each.implementation for each in records if each.host_bound)
    return f"the time of {' and '.join(names)} is launch time of the host" if names else ""


def _reached(verdict: Verdict, precision: float | None) -> bool | None:
    if precision is None:
        return None
    found = verdict.interval
    return found is not None and found.basis == "sessions" and found.half_width <= precision
