"""Everything that is known of the growth of a run, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from reports.analysis import Analysis
from reports.growth.exponents import Exponent, exponents, times
from reports.growth.lines import Family, Line, families
from reports.growth.memory import Bytes, Memory, measured, memory
from reports.growth.models import Model, Unmodelled, model


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One line of a family.

    exponents  between neighbouring lengths that have times; none without two
    model      what its times follow, or why that is not known
    memory     None without bytes at two lengths
    """

    family: Family
    line: Line
    exponents: tuple[Exponent, ...]
    model: Model | Unmodelled
    memory: Memory | None


def growth(analysis: Analysis) -> list[Growth]:
    """Of every line with two lengths; times are those with the plan's most threads."""
    found = measured(analysis)
    return [
        _of_line(analysis, family, line, found)
        for family in families(analysis)
        for line in family.lines
    ]


def by_family(told: Iterable[Growth]) -> list[tuple[Family, list[Growth]]]:
    """The lines of each family together, in their order."""
    found: dict[int, tuple[Family, list[Growth]]] = {}
    for each in told:
        found.setdefault(id(each.family), (each.family, []))[1].append(each)
    return list(found.values())


def _of_line(analysis: Analysis, family: Family, line: Line, found: Bytes) -> Growth:
    told = times(line, analysis.timed, max(analysis.plan.threads))
    medians = [median(sessions.values()) for _, sessions in told]
    return Growth(
        family=family,
        line=line,
        exponents=tuple(exponents(told)),
        model=model([length for length, _ in told], medians),
        memory=memory(line, found, analysis),
    )
