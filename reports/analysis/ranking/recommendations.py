"""Which implementation to use for each kind of problem, and from which size on another one.

A kind is everything but lengths and heads. Its problems are divided into as few spans of one size
as possible, so that within each span one implementation is not shown to be slower than any other.
Where that takes too many, an implementation serves a problem, too, if it is near the fastest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking
from reports.rows.families import HEADS, LENGTH, Axis, Kind, without_sizes
from reports.rows.panels import panels_of

if TYPE_CHECKING:
    from reports.analysis.ranking.crossovers import Crossover
    from reports.analysis.run_analysis import Analysis

MOST_SPANS: Final = 3
"""Spans of one size; more are no recommendation, but a map to read."""
NEAR: Final = 1.2
"""An implementation is near the fastest up to this multiple of its time. Noise on shared machines
is of this size, and one name for all sizes is worth more than the last 20 %."""

Ranked = Mapping[Problem, Ranking]


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring sizes at which one implementation is to be used.

    first, last  the smallest and the largest of its measured sizes, in tokens or query heads
    """

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to use for the problems of one kind, with the most threads of the run.

    ranked   the ranking on each of its problems, in the plan's order, without those that some
             implementation did not reach, unless there are no others
    left     the problems without which that is, each with what was not reached
    axis     the size that divides the spans; None: one span holds all problems
    spans    by size; empty where no division into few spans has one implementation each
    changes  changes of the fastest from a span to the next one, of every group of problems that
             differ in the size of the axis only
    near     whether an implementation of a span may be slower than the fastest, up to NEAR
    """

    panel: str
    ranked: Ranked
    axis: Axis | None
    spans: tuple[Span, ...]
    changes: tuple[Crossover, ...] = ()
    near: bool = False
    left: Mapping[Problem, tuple[str, ...]] = field(default_factory=dict)

    @property
    def largest(self) -> Problem:
        """The problem with the longest keys, then with the most query rows and heads."""
        return max(self.ranked, key=size_of)

    @property
    def worst(self) -> float:
        """The largest ratio of the one to use to the fastest, over all problems with a ratio."""
        ratios = [1.0]
        for problem, found in self.ranked.items():
            name = next((each.name for each in self.spans if self._holds(each, problem)), "")
            ratios += [each.ratio for each in found.rivals if each.name == name and each.ratio]
        return max(ratios)

    def _holds(self, span: Span, problem: Problem) -> bool:
        return self.axis is None or span.first <= self.axis.size(problem) <= span.last

    @property
    def decided(self) -> int:
        """On how many problems the fastest is decided."""
        return sum(each.decided for each in self.ranked.values())

    @property
    def wins(self) -> Counter[str]:
        """How often each implementation is the fastest, decided or not."""
        return Counter(each.name for each in self.ranked.values())

    @property
    def safest(self) -> tuple[str, float] | None:
        """The implementation with the least worst ratio to the fastest, and that ratio.

        None where no implementation has a ratio on every problem.
        """
        worst: dict[str, float] = {}
        for found in self.ranked.values():
            own = {each.name: each.ratio for each in found.rivals if each.ratio is not None}
            own[found.name] = 1.0
            worst = {
                name: max(worst.get(name, 1.0), ratio)
                for name, ratio in own.items()
                if not worst or name in worst
            }
            if not worst:
                return None
        return min(worst.items(), key=lambda each: each[1], default=None)


def size_of(problem: Problem) -> tuple[int, ...]:
    """A key to order problems: longest keys, query rows, heads, batch, head dimension."""
    return (
        problem.key_length,
        problem.query_length,
        problem.query_heads,
        problem.batch,
        problem.head_dim,
    )


def recommendations(analysis: Analysis) -> list[Recommendation]:
    """One for each panel and kind of problem, in the plan's order; none of approximations."""
    kinds: dict[tuple[str, Kind], dict[Problem, Ranking]] = {}
    for (problem, threads, panel), found in analysis.rankings.items():
        if threads == analysis.most_threads:
            kinds.setdefault((panel, without_sizes(problem)), {})[problem] = found
    order = panels_of(analysis.plan)
    every = sorted(kinds.items(), key=lambda each: order.index(each[0][0]))
    return [_reached(analysis, panel, ranked) for (panel, _), ranked in every]


def _reached(analysis: Analysis, panel: str, every: Ranked) -> Recommendation:
    """What to use, judged by the problems that all implementations reached."""
    ranked = {problem: found for problem, found in every.items() if not found.not_reached}
    if not ranked:
        return _of_kind(analysis, panel, every)
    left = {problem: each.not_reached for problem, each in every.items() if each.not_reached}
    return replace(_of_kind(analysis, panel, ranked), left=left)


def _of_kind(analysis: Analysis, panel: str, ranked: Ranked) -> Recommendation:
    for near, axis in product((False, True), (LENGTH, HEADS)):
        spans = _spans(axis, ranked, near=near)
        if len(spans) == 1:
            return Recommendation(panel=panel, ranked=ranked, axis=None, spans=spans, near=near)
        if 0 < len(spans) <= MOST_SPANS:
            changes = tuple(_changes(analysis, panel, axis, ranked, spans))
            return Recommendation(
                panel=panel, ranked=ranked, axis=axis, spans=spans, changes=changes, near=near
            )
    return Recommendation(panel=panel, ranked=ranked, axis=None, spans=())


def _spans(axis: Axis, ranked: Ranked, *, near: bool) -> tuple[Span, ...]:
    """As few spans as possible, and of those the ones whose names are most often the fastest.

    Empty where no implementation serves all problems of one size.
    """
    sizes = sorted({axis.size(problem) for problem in ranked})
    best: list[_Division | None] = [_Division()]
    for end in range(1, len(sizes) + 1):
        longer = (
            _longer(axis, ranked, before, sizes[start:end], near=near)
            for start, before in enumerate(best)
            if before is not None
        )
        best.append(min(filter(None, longer), key=_Division.order, default=None))
    return best[-1].spans if best[-1] is not None else ()


@dataclass(frozen=True, slots=True)
class _Division:
    """The first sizes divided into spans, and on how many problems their names are the fastest."""

    spans: tuple[Span, ...] = ()
    wins: int = 0

    def order(self) -> tuple[int, int]:
        """The better division is smaller."""
        return len(self.spans), -self.wins


def _longer(
    axis: Axis, ranked: Ranked, before: _Division, sizes: Sequence[int], *, near: bool
) -> _Division | None:
    """The division with one span more; None where no implementation serves all of the span."""
    found = [each for problem, each in ranked.items() if axis.size(problem) in sizes]
    able = set.intersection(*(_able(each, near=near) for each in found))
    if not able:
        return None
    wins = Counter(each.name for each in found)
    name = max(sorted(able), key=lambda each: wins[each])
    return _Division((*before.spans, Span(name, sizes[0], sizes[-1])), before.wins + wins[name])


def _able(found: Ranking, *, near: bool) -> set[str]:
    """The fastest, and those not shown to be slower; near it, too."""
    close = [each for each in found.rivals if near and each.ratio and each.ratio <= NEAR]
    return {found.name, *(each.name for each in (*found.alternatives, *close))}


def _changes(
    analysis: Analysis, panel: str, axis: Axis, ranked: Ranked, spans: Sequence[Span]
) -> Iterator[Crossover]:
    """The changes of the fastest between neighbouring spans, on the problems of this kind."""
    pairs = {(one.name, other.name) for one, other in pairwise(spans)}
    for each in analysis.crossovers:
        if (
            each.leads
            and (each.panel, each.threads, each.axis) == (panel, analysis.most_threads, axis)
            and (each.before, each.after) in pairs
            and each.problem in ranked
        ):
            yield each
