"""Two runs, by the ratios of each to a baseline that both measured.

Runs were measured at different times, so milliseconds of one are not compared with those of the
other: the verdict is on how the ratios differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from impls.interface import Problem
from reports.analysis.comparison import (
    IS_BASELINE,
    NOTHING_SHARED,
    Comparison,
    ComparisonRow,
    Lost,
    MissingTime,
    OnlyIn,
    Place,
    Series,
)
from reports.analysis.differences import changed_files, differences
from reports.analysis.verdicts import Judged, panels, shared_fields, twins_of
from reports.rows.answers import Timed, timed
from reports.rows.outcomes import Outcome, outcomes
from reports.rows.timings import median_ms
from suites.records.record import Pair, Record
from suites.records.store import Run
from suites.stats.intervals import noise_floor
from suites.stats.pairing import pair
from suites.stats.verdicts import judge_between, not_judged


def runs(
    base: Run,
    base_records: Iterable[Record],
    new: Run,
    new_records: Iterable[Record],
    *,
    delta: float | None = None,
) -> Comparison:
    """Two runs on every problem, threads and implementation that both planned and one timed.

    delta  the smallest relative difference that counts; by default that of the new run

    The baseline of a problem is one that both runs timed on it, from the same files.
    """
    delta = new.plan.delta if delta is None else delta
    sides = _Side.of(base, base_records), _Side.of(new, new_records)
    return Comparison(
        base=base.name,
        new=new.name,
        of_runs=True,
        rows=tuple(_between(*sides, delta)),
        delta=delta,
        plan=new.plan,
        lost=tuple(_lost(*sides)),
        only_in=tuple(_only_in(base, new)),
        changed=tuple(changed_files(base, new)),
        differences=tuple(differences(base, new)),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs: its times by problem and threads, and its outcomes by pair."""

    run: Run
    timed: Timed
    outcomes: dict[Pair, Outcome]

    @classmethod
    def of(cls, run: Run, records: Iterable[Record]) -> Self:
        records = list(records)
        found = {(row.problem, row.implementation): row for row in outcomes(run, records)}
        return cls(run, timed(run, records), found)

    def missing(self, problem: Problem, name: str) -> MissingTime:
        row = self.outcomes[problem, name]
        return MissingTime(self.run.name, row.status, row.reason)


def _between(base: _Side, new: _Side, delta: float) -> Iterator[ComparisonRow]:
    """A row for each problem, threads and implementation of both plans with a time on one side."""
    hashes = {entry.name: entry.hashes for entry in new.run.plan.entries}
    planned = [entry for entry in base.run.plan.entries if entry.name in hashes]
    unchanged = {entry.name for entry in planned if entry.hashes == hashes[entry.name]}
    for place in (place for place in base.timed if place in new.timed):
        either = base.timed[place] | new.timed[place]
        both = base.timed[place].keys() & new.timed[place].keys() & unchanged
        for _, panel in panels(new.run.plan, place[0], either):
            names = [entry.name for entry in planned if entry.name in panel]
            yield from _of_panel((base, new), place, names, both & panel.keys(), delta)


def _of_panel(
    sides: tuple[_Side, _Side], place: Place, names: Sequence[str], shared: set[str], delta: float
) -> Iterator[ComparisonRow]:
    baseline = sides[0].run.plan.baseline_of(shared, place[0].device)
    alone = not_judged(IS_BASELINE if len(shared) > 1 else NOTHING_SHARED, delta=delta)
    for name in names:
        lacking = [side for side in sides if name not in side.timed[place]]
        judged, series = (
            (Judged.of(alone), ())
            if name == baseline
            else _judged(sides, place, name, baseline, delta)
        )
        base_ms, new_ms = (median_ms(side.timed[place].get(name, [])) for side in sides)
        yield ComparisonRow(
            problem=place[0],
            implementation=name,
            threads=place[1],
            baseline=baseline or None,
            base_ms=base_ms,
            new_ms=new_ms,
            missing=lacking[0].missing(place[0], name) if lacking else None,
            is_baseline=name == baseline and len(shared) > 1,
            series=series,
            **shared_fields(judged, Judged),
        )


def _judged(
    sides: tuple[_Side, _Side], place: Place, name: str, baseline: str, delta: float
) -> tuple[Judged, Series]:
    """The verdict, and the log ratios it rests on: of the new run, then of the base."""
    if any(name not in side.timed[place] for side in sides):
        return Judged.of(not_judged("", delta=delta)), ()
    if not baseline:
        return Judged.of(not_judged(NOTHING_SHARED, delta=delta)), ()
    try:
        pairs = [pair(side.timed[place][baseline], side.timed[place][name]) for side in sides]
    except ValueError as error:  # a sample of 0 ms
        return Judged.of(not_judged(str(error), delta=delta)), ()
    floors = [
        noise_floor(_twins(side, place, baseline, name), len(found.log_ratios))
        for side, found in zip(sides, pairs, strict=True)
    ]
    ratios = [found.log_ratios for found in pairs]
    verdict = judge_between(*ratios, delta=delta, floor=_floor_of_both(floors))
    note = next((found.note for found in pairs if found.note), "")
    return Judged.of(verdict, note), (tuple(ratios[1]), tuple(ratios[0]))


def _twins(side: _Side, place: Place, baseline: str, name: str) -> tuple[float, ...]:
    """The log ratios of identical code that apply to a ratio of these two."""
    found = side.timed[place]
    return twins_of(found).of(found[baseline], found[name])


def _floor_of_both(floors: Iterable[float | None]) -> float | None:
    """The noise floor between two runs: their own floors in quadrature, as logarithms."""
    known = [math.log1p(floor) for floor in floors if floor is not None]
    return math.expm1(math.hypot(*known)) if len(known) == 2 else None


def _lost(base: _Side, new: _Side) -> Iterator[Lost]:
    """Implementations with a time in the base and none in the new run, planned there or not."""
    for entry in base.run.plan.entries:
        problems = dict.fromkeys(
            place[0]
            for place, found in base.timed.items()
            if entry.name in found and entry.name not in new.timed.get(place, {})
        )
        if problems:
            yield Lost(entry.name, tuple(problems))


def _only_in(base: Run, new: Run) -> Iterator[OnlyIn]:
    for run, other in ((base, new), (new, base)):
        others = {entry.name for entry in other.plan.entries}
        names = tuple(entry.name for entry in run.plan.entries if entry.name not in others)
        problems = len(set(run.plan.problems) - set(other.plan.problems))
        if names or problems:
            yield OnlyIn(run.name, names, problems)
