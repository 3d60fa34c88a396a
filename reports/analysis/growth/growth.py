"""The growth of every series of a run: exponents, model of the times, memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from reports.analysis.growth.exponents import Exponent, exponents, times
from reports.analysis.growth.memory import Bytes, Memory, measured, memory
from reports.analysis.growth.models import Model, Unmodelled, model
from reports.analysis.growth.series import Family, Series, families
from reports.analysis.run_analysis import Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The growth of one series of a family.

    exponents  between neighbouring lengths that have times; empty with fewer than two
    model      of its times, or why there is none
    memory     None without bytes at two lengths
    """

    family: Family
    series: Series
    exponents: tuple[Exponent, ...]
    model: Model | Unmodelled
    memory: Memory | None


def growth(analysis: Analysis) -> list[Growth]:
    """One for each series of two lengths; times are those with the most threads."""
    found = measured(analysis)
    return [
        _of_series(analysis, family, series, found)
        for family in families(analysis)
        for series in family.series
    ]


def by_family(found: Iterable[Growth]) -> list[tuple[Family, list[Growth]]]:
    """The series of each family together, in their order."""
    grouped: dict[int, tuple[Family, list[Growth]]] = {}
    for each in found:
        grouped.setdefault(id(each.family), (each.family, []))[1].append(each)
    return list(grouped.values())


def _of_series(analysis: Analysis, family: Family, series: Series, found: Bytes) -> Growth:
    own = times(series, analysis.timed, analysis.most_threads)
    medians = [median(sessions.values()) for _, sessions in own]
    return Growth(
        family=family,
        series=series,
        exponents=tuple(exponents(own)),
        model=model([length for length, _ in own], medians),
        memory=memory(series, found, analysis),
    )
