"""The fastest implementation of a panel on each problem, and the others beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from impls.interface import Problem
from reports.analysis.ranking.ratios import Place, Ratios, ratios_of
from reports.rows.measurements import Measurement
from reports.rows.panels import APPROXIMATIONS
from suites.stats.intervals import Interval
from suites.stats.verdicts import Word

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis


@dataclass(frozen=True)
class Rival:
    """An implementation beside the fastest.

    ratio     its time over that of the fastest; None where no session timed both
    interval  of that ratio, over sessions; None where there is none
    verdict   on that ratio, by the rule of the table of verdicts: a difference within the noise
              floor, or below the smallest that counts, is not shown
    same_as   the implementation that ran the same kernel; empty: none
    """

    name: str
    median_ms: float
    ratio: float | None
    interval: Interval | None
    verdict: Word
    same_as: str = ""

    @property
    def is_slower(self) -> bool:
        """Whether it is shown to be slower."""
        return self.verdict == "slower"

    @property
    def is_faster(self) -> bool:
        """Whether it is shown to be faster, whatever the medians are."""
        return self.verdict == "faster"


@dataclass(frozen=True)
class Ranking:
    """The implementations of one panel on one problem: the fastest, and its rivals by time.

    not_reached  implementations that may be faster: the run or its budget ended before them
    same         implementations that ran the same kernel as one of these, and are no rivals
    """

    name: str
    median_ms: float
    sessions: int
    rivals: tuple[Rival, ...]
    not_reached: tuple[str, ...]
    same: tuple[Rival, ...] = ()

    @cached_property
    def alternatives(self) -> tuple[Rival, ...]:
        """The rivals that are not shown to be slower."""
        return tuple(each for each in self.rivals if not each.is_slower)

    @property
    def decided(self) -> bool:
        """Whether every rival is shown to be slower, and none was not reached."""
        return not self.alternatives and not self.not_reached


def rankings(
    analysis: Analysis, ratios: Mapping[Place, Ratios] | None = None
) -> dict[Place, Ranking]:
    """The ranking of every problem, number of threads and panel; not of the approximations."""
    rows: dict[Place, dict[str, Measurement]] = {}
    for row in analysis.measurements:
        rows.setdefault((row.problem, row.threads, row.panel), {})[row.implementation] = row
    able = _able(analysis)
    every = ratios_of(analysis) if ratios is None else ratios
    return {
        place: found
        for place, own in every.items()
        if place[2] != APPROXIMATIONS
        and (found := ranking(own, rows.get(place, {}), able.get((place[0], place[2]), ())))
    }


def ranking(
    ratios: Ratios, rows: Mapping[str, Measurement], able: Collection[str] = ()
) -> Ranking | None:
    """The fastest and its rivals; None where every time is 0.

    rows  measurements by implementation
    able  implementations of the panel that have times or could have them

    The fastest has the least time in pairs within sessions, or else the least median of those that
    no pair shows to be slower: sessions may have timed other implementations each.
    """
    timed = [name for name in ratios.rivals if name in rows and rows[name].median_ms]
    timed.sort(key=lambda name: rows[name].median_ms)
    lacking = tuple(name for name in able if name not in ratios.names)
    every = [_ranked(ratios, timed, first, rows, lacking) for first in timed]
    least = (each for each in every if not any(r.ratio and r.ratio < 1 for r in each.rivals))
    none_faster = (each for each in every if not any(r.is_faster for r in each.rivals))
    found = next(least, None) or next(none_faster, None)
    # Where pairs of several sessions are not transitive, each is slower than some other.
    return found or (_ranked(ratios, timed, timed[0], rows, lacking) if timed else None)


def with_first(name: str, found: Ranking, ratios: Ratios) -> Ranking:
    """The same ranking with the ratios to the time of another implementation, which is first."""
    if name == found.name:
        return found
    medians = {found.name: found.median_ms, **{each.name: each.median_ms for each in found.rivals}}
    return Ranking(
        name=name,
        median_ms=medians.pop(name),
        sessions=found.sessions,
        rivals=tuple(_rival(ratios, name, *each) for each in medians.items()),
        not_reached=found.not_reached,
        same=tuple(_rival(ratios, name, each.name, each.median_ms) for each in found.same),
    )


def _able(analysis: Analysis) -> dict[tuple[Problem, str], list[str]]:
    """By problem and panel the implementations that agree or were not reached."""
    found: dict[tuple[Problem, str], list[str]] = {}
    for row in analysis.outcomes:
        if row.status in ("ok", "not_reached"):
            found.setdefault((row.problem, row.panel), []).append(row.implementation)
    return found


def _ranked(
    ratios: Ratios,
    timed: Sequence[str],
    first: str,
    rows: Mapping[str, Measurement],
    not_reached: tuple[str, ...],
) -> Ranking:
    return Ranking(
        name=first,
        median_ms=rows[first].median_ms,
        sessions=rows[first].sessions,
        rivals=tuple(
            _rival(ratios, first, name, rows[name].median_ms) for name in timed if name != first
        ),
        not_reached=not_reached,
        same=tuple(
            _rival(ratios, first, name, rows[name].median_ms)
            for name in ratios.same
            if name in rows
        ),
    )


def _rival(ratios: Ratios, first: str, name: str, median_ms: float) -> Rival:
    found = ratios.verdict(first, name)
    return Rival(
        name=name,
        median_ms=median_ms,
        ratio=found.ratio,
        interval=found.interval,
        verdict=found.word,
        same_as=ratios.same.get(name, ""),
    )
