"""Where the order of two implementations changes, over lengths and over heads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from reports import words
from reports.analysis import Analysis
from reports.choosing.curves import Array, Crossing, crossings
from reports.choosing.kinds import shared_facets
from reports.choosing.ratios import Place, Ratios
from reports.families import AXES, Axis, groups
from reports.panels import panels_of
from reports.tables import parsed

CROSSOVER_AXES: Final = AXES[:2]
"""Lengths and heads, on one device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """One change of order of two implementations.

    before, after  who is faster below the crossing and above it
    crossing       where, in tokens or in query heads
    measured       the two measured sizes that it lies between
    sizes          the smallest and the largest size at which sessions timed both
    sessions       how many timed both at every size
    leads          whether the fastest of all changes there, from `before` to `after`
    often          whether the order of these two changes more than once in this group
    where          what the problems of the group have in common, in words
    problem        the one measured just above the crossing, as printed
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
    where: str
    problem: str
    facets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Family:
    """Problems of one panel and threads that differ in one size only, by that size."""

    axis: Axis
    panel: str
    threads: int
    where: str
    problems: Mapping[int, str]
    ratios: Mapping[int, Ratios]
    fastest: Mapping[int, str]


def crossovers(analysis: Analysis, ratios: Mapping[Place, Ratios]) -> list[Crossover]:
    """Every change of order; those that change the fastest of all come first.

    A session counts where it timed both at every size at which any did. With fewer than two of
    these, or where all of them tie, a crossing has no interval.
    """
    found = [
        each
        for family in _families(analysis, ratios)
        for each in _of_family(family, _names(family.ratios.values()))
    ]
    return sorted(found, key=lambda each: not each.leads)


def _names(ratios: Iterable[Ratios]) -> list[str]:
    """Everybody who is named, once, in order."""
    return list(dict.fromkeys(name for each in ratios for name in each.names))


def _families(analysis: Analysis, ratios: Mapping[Place, Ratios]) -> Iterator[_Family]:
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in analysis.measurements:
        rows.setdefault((row["panel"], row["threads"]), []).append(row)
    several = len(analysis.plan.threads) > 1
    for axis in CROSSOVER_AXES:
        for panel in panels_of(analysis.plan):
            for threads in analysis.plan.threads:
                for group in groups(axis, rows.get((panel, threads), []), []):
                    count = words.counted(threads, "thread") if several else ""
                    where = ", ".join(part for part in (group.label, group.common, count) if part)
                    yield _family(axis, (panel, threads), where, group.drawn, ratios)


def _family(
    axis: Axis,
    place: tuple[str, int],
    where: str,
    rows: Iterable[Mapping[str, Any]],
    ratios: Mapping[Place, Ratios],
) -> _Family:
    panel, threads = place
    rows = [row for row in rows if (row["problem"], threads, panel) in ratios]
    by_size: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["median_ms"]:
            by_size.setdefault(axis.size(parsed(row["problem"])), []).append(row)
    ordered = sorted(by_size)
    problems = {size: str(by_size[size][0]["problem"]) for size in ordered}
    return _Family(
        axis,
        panel,
        threads,
        where,
        problems,
        {size: ratios[problem, threads, panel] for size, problem in problems.items()},
        {size: _first(by_size[size]) for size in ordered},
    )


def _first(rows: Iterable[Mapping[str, Any]]) -> str:
    return str(min(rows, key=lambda row: float(row["median_ms"]))["implementation"])


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
    """Log ratios [sessions, sizes, first, second], NaN where a session did not time both."""
    places = {name: place for place, name in enumerate(names)}
    numbers = sorted({each for ratios in family.ratios.values() for each in ratios.sessions})
    rows = {number: row for row, number in enumerate(numbers)}
    cube = np.full((len(numbers), len(family.ratios), len(names), len(names)), np.nan)
    for column, ratios in enumerate(family.ratios.values()):
        own = [places[name] for name in ratios.names]
        sessions = [rows[number] for number in ratios.sessions]
        cube[np.ix_(sessions, [column], own, own)] = ratios.logs[:, None]
    return cube, list(family.ratios)


def _may_change(own: Array) -> bool:
    """Whether any two numbers are of unlike sign: most pairs of implementations never change."""
    return bool(np.nanmin(own) <= 0 < np.nanmax(own))


def _crossover(
    family: _Family,
    pair: tuple[str, str],
    crossing: Crossing,
    sizes: Sequence[int],
    counts: tuple[int, bool],
) -> Crossover:
    # A ratio that rises through 1 leaves the first of the pair faster.
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
        where=family.where,
        problem=family.problems[right],
        facets=shared_facets(family.problems[size] for size in sizes),
    )
