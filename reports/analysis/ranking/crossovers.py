"""Crossovers: where the order of two implementations changes, over lengths and over heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from impls.interface import Problem
from reports.analysis.ranking.crossings import Array, Crossing, crossings
from reports.analysis.ranking.ratios import Place, Ratios
from reports.rows.families import HEADS, LENGTH, Axis, Group, groups
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis

CROSSOVER_AXES: Final = (LENGTH, HEADS)

MeasuredGroup = Group[Measurement, Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """One change of the order of two implementations.

    before, after  the faster one below the crossing and above it
    crossing       where, in tokens or in query heads
    measured       the two measured sizes around it
    sizes          the smallest and the largest size at which sessions timed both
    sessions       sessions that timed both at every size
    leads          whether the fastest of all changes there, from `before` to `after`
    often          whether the order of the two changes more than once in this group
    group          what the problems have in common
    problem        the measured one just above the crossing
    problems       those between the smallest and the largest size
    """

    axis: Axis
    panel: str
    threads: int
    before: str
    after: str
    crossing: Crossing
    measured: tuple[int, int]
    sizes: tuple[int, int]
    sessions: int
    leads: bool
    often: bool
    group: MeasuredGroup
    problem: Problem
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """Problems of one panel and threads that differ in one size only, by that size."""

    axis: Axis
    panel: str
    threads: int
    group: MeasuredGroup
    problems: Mapping[int, Problem]
    ratios: Mapping[int, Ratios]
    fastest: Mapping[int, str]

    @property
    def names(self) -> list[str]:
        """Every implementation that is ranked on some problem, in order."""
        return list(dict.fromkeys(name for each in self.ratios.values() for name in each.rivals))


def crossovers(analysis: Analysis, ratios: Mapping[Place, Ratios]) -> list[Crossover]:
    """Every change of order; changes of the fastest of all come first.

    A session counts where it timed both at every size at which any session did. With fewer than two
    such sessions, or where all of them tie, a crossing has no interval.
    """
    found = [
        each for family in _families(analysis, ratios) for each in _of_family(family, family.names)
    ]
    return sorted(found, key=lambda each: not each.leads)


def _families(analysis: Analysis, ratios: Mapping[Place, Ratios]) -> Iterator[_Family]:
    rows: dict[tuple[str, int], list[Measurement]] = {}
    for row in analysis.measurements:
        rows.setdefault((row.panel, row.threads), []).append(row)
    for axis in CROSSOVER_AXES:
        for panel in panels_of(analysis.plan):
            for threads in analysis.plan.threads:
                own = rows.get((panel, threads), [])
                lacking: list[Measurement] = []
                for group in groups(axis, own, lacking):
                    yield _family(group, panel, threads, ratios)


def _family(
    group: MeasuredGroup, panel: str, threads: int, ratios: Mapping[Place, Ratios]
) -> _Family:
    by_size: dict[int, list[Measurement]] = {}
    for row in group.drawn:
        found = ratios.get((row.problem, threads, panel))
        if found and row.implementation in found.rivals and row.median_ms:
            by_size.setdefault(group.axis.size(row.problem), []).append(row)
    problems = {size: by_size[size][0].problem for size in sorted(by_size)}
    return _Family(
        axis=group.axis,
        panel=panel,
        threads=threads,
        group=group,
        problems=problems,
        ratios={size: ratios[problem, threads, panel] for size, problem in problems.items()},
        fastest={size: _fastest(by_size[size]) for size in problems},
    )


def _fastest(rows: Iterable[Measurement]) -> str:
    return min(rows, key=lambda row: row.median_ms).implementation


def _of_family(family: _Family, names: Sequence[str]) -> Iterator[Crossover]:
    cube, sizes = _cube(family, names)
    for one, other in combinations(range(len(names)), 2):
        own = cube[:, :, one, other]
        here = np.flatnonzero(np.isfinite(own).any(axis=0))
        own = own[:, here]
        if len(here) < 2 or not _may_change(own):
            continue
        whole = own[np.isfinite(own).all(axis=1)]
        curve = whole if len(whole) > 1 else np.nanmean(own, axis=0)[None, :]
        both = [sizes[place] for place in here]
        found = crossings(both, curve)
        for crossing in found:
            pair = (names[one], names[other])
            yield _crossover(family, pair, crossing, both, (len(whole), len(found) > 1))


def _cube(family: _Family, names: Sequence[str]) -> tuple[Array, list[int]]:
    """Log ratios [sessions, sizes, first, second]; NaN where a session did not time both."""
    places = {name: place for place, name in enumerate(names)}
    numbers = sorted({each for ratios in family.ratios.values() for each in ratios.sessions})
    rows = {number: row for row, number in enumerate(numbers)}
    cube = np.full((len(numbers), len(family.ratios), len(names), len(names)), np.nan)
    for column, ratios in enumerate(family.ratios.values()):
        own = [places[name] for name in ratios.rivals]
        kept = [ratios.places[name] for name in ratios.rivals]
        sessions = [rows[number] for number in ratios.sessions]
        cube[np.ix_(sessions, [column], own, own)] = ratios.logs[:, None, kept][..., kept]
    return cube, list(family.ratios)


def _may_change(own: Array) -> bool:
    """Whether two ratios have different signs: most pairs of implementations never cross."""
    return bool(np.nanmin(own) <= 0 < np.nanmax(own))


def _crossover(
    family: _Family,
    pair: tuple[str, str],
    crossing: Crossing,
    sizes: Sequence[int],
    counts: tuple[int, bool],
) -> Crossover:
    # After a ratio has risen through 1, the first of the pair is faster.
    after, before = pair if crossing.rising else reversed(pair)
    left, right = (sizes[place] for place in crossing.between)
    sessions, often = counts
    return Crossover(
        axis=family.axis,
        panel=family.panel,
        threads=family.threads,
        before=before,
        after=after,
        crossing=crossing,
        measured=(left, right),
        sizes=(sizes[0], sizes[-1]),
        sessions=sessions,
        leads=family.fastest[left] == before and family.fastest[right] == after,
        often=often,
        group=family.group,
        problem=family.problems[right],
        problems=tuple(family.problems[size] for size in sizes),
    )
