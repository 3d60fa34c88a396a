"""Samples that a page shows: of the largest problems, and of every so many rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil
from statistics import median
from typing import Final

from impls.interface import Problem
from reports.rows.answers import Timed
from reports.rows.panels import panel_on
from suites.records.plan import Plan
from suites.records.record import Record
from suites.stats.pairing import share_rounds

MOST_PROBLEMS: Final = 12
MOST_POINTS: Final = 12_000
"""Samples of a page; two charts of so many take 0.3 MB of it."""
LARGE: Final = 500
"""Pairs of problem and implementation; a page of more has room for fewer samples."""
MOST_POINTS_OF_LARGE: Final = 1_000
"""Samples of the page of a large run."""
FEWEST_POINTS: Final = 20
"""Samples of a record that are shown in any case, where it has so many; problems are left out."""

Points = list[tuple[int, float]]
"""Rounds of a session, counted from 0 over those tried, with a figure of each."""


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one problem and panel with the same threads, by implementation."""

    problem: Problem
    panel: str
    baseline: str
    records: dict[str, list[Record]]


@dataclass(frozen=True, slots=True)
class Shown:
    """The samples that are shown.

    groups    of the largest problems that fit, in the plan's order
    problems  number of problems with times, shown or not
    step      one round in so many is shown
    """

    groups: tuple[Group, ...]
    problems: int
    step: int


def shown(plan: Plan, timed: Timed) -> Shown:
    """The samples that fit on a page, of the largest number of threads."""
    every = list(_groups(plan, timed))
    problems = dict.fromkeys(each.problem for each in every)
    pairs = sum(len(each.records) for each in every)
    most = MOST_POINTS if pairs <= LARGE else MOST_POINTS_OF_LARGE
    kept = set(_fitting(sorted(problems, key=lambda each: -each.flops), every, most))
    groups = tuple(each for each in every if each.problem in kept)
    step = max(1, ceil(_samples(groups) / most))
    return Shown(groups, len(problems), step)


def ratios(group: Group, name: str, step: int) -> Iterator[tuple[int, Points]]:
    """Session by session: the time over that of the baseline in the same round.

    Of the baseline itself, the time of its twin over it. A session without pairs has no points.
    """
    bases = {record.session: record for record in group.records[group.baseline]}
    for record in group.records[name]:
        base = bases.get(record.session)
        if base is None:
            continue
        if name == group.baseline:
            yield record.session, _thinned(_divided(record.twin_ms, record.times_ms), step)
        elif share_rounds(base, record):
            yield record.session, _thinned(_divided(record.times_ms, base.times_ms), step)


def over_median(group: Group, name: str, step: int) -> Iterator[tuple[int, Points]]:
    """Session by session: the time over the median of all sessions; none for times of 0."""
    records = group.records[name]
    typical_ms = median(time_ms for record in records for time_ms in record.times_ms)
    for record in records:
        typical = [typical_ms] * len(record.times_ms)
        yield record.session, _thinned(_divided(record.times_ms, typical), step)


def disturbed(group: Group, step: int) -> Iterator[tuple[int, list[int]]]:
    """Session by session: the rounds shown that were disturbed."""
    found: dict[int, set[int]] = {}
    for record in chain.from_iterable(group.records.values()):
        why = record.conditions.disturbed if record.conditions else ()
        own = found.setdefault(record.session, set())
        own.update(n for n in range(0, len(why), step) if why[n])
    yield from ((session, sorted(rounds)) for session, rounds in sorted(found.items()))


def first_rounds(group: Group) -> dict[int, int]:
    """The number of rounds tried before each session, by session."""
    tried: dict[int, int] = {}
    for record in chain.from_iterable(group.records.values()):
        tried[record.session] = max(tried.get(record.session, 0), len(record.times_ms))
    before, found = 0, {}
    for session, count in sorted(tried.items()):
        found[session] = before
        before += count
    return found


def _groups(plan: Plan, timed: Timed) -> Iterator[Group]:
    for (problem, threads), found in timed.items():
        if threads != max(plan.threads):
            continue
        for panel, names in plan.panels(found).items():
            own = {name: found[name] for name in names}
            if sum(map(len, own.values())) > 1:  # a single record has none to be seen beside
                baseline = plan.baseline_of(names, problem.device)
                yield Group(problem, panel_on(panel, problem.model), baseline, own)


def _fitting(problems: Iterable[Problem], groups: Sequence[Group], room: int) -> Iterator[Problem]:
    """The first problems whose samples fit, one at least."""
    for place, problem in enumerate(islice(problems, MOST_PROBLEMS)):
        own = (each for each in groups if each.problem == problem)
        room -= _samples(own, most=FEWEST_POINTS)
        if room < 0 and place:
            return
        yield problem


def _samples(groups: Iterable[Group], most: int | None = None) -> int:
    """The number of samples of all records; of each record `most` at most."""
    counts = (
        len(record.times_ms)
        for group in groups
        for records in group.records.values()
        for record in records
    )
    return sum(count if most is None else min(count, most) for count in counts)


def _divided(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Ratios round by round; 0 where one of the two is 0 ms."""
    return [a / b if b else 0.0 for a, b in zip(over, under, strict=False)]


def _thinned(figures: Sequence[float], step: int) -> Points:
    """Every so many rounds; figures of 0 are left out, since their axis is logarithmic."""
    return [(n, figures[n]) for n in range(0, len(figures), step) if figures[n] > 0]
