"""Problems that differ in length only: a few lengths are measured, the others interpolated.

Batches with other padding or documents count as alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from impls.interface import Problem
from suites.records.cases import Case

MOST_LENGTHS, FEWEST_LENGTHS = 12, 4
"""Measured lengths of one family: with 12, neighbours are less than a factor of 2 apart up to
4096. Many families have fewer each, since a run would take too long."""
MOST_PROBLEMS: Final = 24
"""Measured problems from which on families have fewer lengths."""
Family = tuple[Any, ...]
"""The fields shared by problems that differ in length only; hashable."""


def family(problem: Problem) -> Family:
    """The family of a problem: all fields but the length that varies.

    In one family, query and key length are the same; in the others the key length varies and the
    query length does not, as in decoding.
    """
    square = problem.query_length == problem.key_length
    return (problem.without("length"), None if square else problem.query_length)


def alike(problem: Problem) -> Family:
    """The family without the sizes of its padding and documents: every batch has others."""
    mask = problem.mask
    plain = replace(problem, mask=replace(mask, padding=None, documents=None))
    return (family(plain), mask.padding is None, mask.documents is None)


def measured(cases: Sequence[Case]) -> tuple[Problem, ...]:
    """The problems of these cases to measure: a few lengths of each family.

    Problems with the longest time in one step come first.
    """
    families: dict[Family, dict[Problem, float]] = {}
    for case in cases:
        own = families.setdefault(alike(case.problem), {})
        own[case.problem] = own.get(case.problem, 0.0) + weight(case)
    found: dict[Problem, float] = {}
    most = min(MOST_LENGTHS, max(FEWEST_LENGTHS, MOST_PROBLEMS // max(1, len(families))))
    for own in families.values():
        lengths = {problem.key_length: each for problem, each in own.items()}
        kept = set(spread(lengths, most))
        found |= {p: sum(own.values()) / len(kept) for p in own if p.key_length in kept}
    return tuple(sorted(found, key=lambda problem: -found[problem]))


def worth(cases: Iterable[Case], problems: Iterable[Problem]) -> dict[Problem, float]:
    """The time in one step that rests on each of these measured problems.

    A case of another problem counts for the nearest length of its family.
    """
    found = dict.fromkeys(problems, 0.0)
    families: dict[Family, list[Problem]] = {}
    for problem in found:
        families.setdefault(alike(problem), []).append(problem)
    for case in cases:
        if others := families.get(alike(case.problem)):
            found[nearest(case.problem, others)] += weight(case)
    return found


def nearest(problem: Problem, among: Iterable[Problem]) -> Problem:
    """The one with the nearest key length, by ratio."""
    length = math.log(problem.key_length)
    return min(among, key=lambda each: abs(math.log(each.key_length) - length))


def weight(case: Case) -> float:
    """The time of a case in one step, ms; without a recorded time, calls times key length."""
    each = case.problem.key_length if case.took_ms is None else case.took_ms
    return case.count * each


def spread(sizes: Mapping[int, float], most: int) -> list[int]:
    """At most so many of these sizes, by weight: both ends, and others evenly in logarithms.

    Each further size is the one whose distance to the nearest chosen size, times its weight, is
    the largest.
    """
    ordered = sorted(sizes)
    if len(ordered) <= most:
        return ordered
    chosen = [ordered[0], ordered[-1]]
    gaps = {size: _gap(size, chosen) for size in ordered}
    while len(chosen) < most:
        furthest = max(ordered, key=lambda size: gaps[size] * sizes[size])
        chosen.append(furthest)
        gaps = {size: min(gap, _gap(size, [furthest])) for size, gap in gaps.items()}
    return sorted(chosen)


def _gap(size: int, chosen: Iterable[int]) -> float:
    return min(abs(math.log(size / each)) for each in chosen)
