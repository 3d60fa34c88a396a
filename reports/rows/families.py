"""Rows that belong on one chart: their problems differ in one size only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from impls.interface import Problem

Field = Literal["length", "heads"]
Fixed = tuple[tuple[str, Any], ...]
"""What the problems of one chart have in common, by name; values are hashable.

Names are fields of a Problem, with `heads` and `length` for a pair of them that varies with the
axis or is equal on both sides: see `_fixed`.
"""
Kind = tuple[Hashable, ...]
"""What problems of one kind have in common, whatever their sizes."""
_SLOWEST: Final = (
    "heads",
    "length",
    "batch",
    "head_dim",
)
"""Charts are sorted by these first."""
_FASTEST: Final = ("dtype", "device", "training", "mask")
"""Charts are sorted by these last, so the mask varies fastest; each in the order of the plan."""


class OnProblem(Protocol):
    """A row of one problem."""

    @property
    def problem(self) -> Problem:
        """The problem."""


Drawn = TypeVar("Drawn", bound=OnProblem)
Lacking = TypeVar("Lacking", bound=OnProblem)
Row = TypeVar("Row", bound=OnProblem)


@dataclass(frozen=True, slots=True)
class Axis:
    """A size that charts are drawn over.

    name   part of a family's key
    field  the size that varies along it
    free   another field that may vary on one chart: `device`, or none
    """

    name: str
    field: Field
    free: str = ""

    def size(self, problem: Problem) -> int:
        """The problem's place on the axis; with unequal lengths that of the keys."""
        return problem.query_heads if self.field == "heads" else problem.key_length


LENGTH: Final = Axis("length", "length")
HEADS: Final = Axis("heads", "heads")
AXES: Final = (LENGTH, HEADS, Axis("length_by_device", "length", "device"))


@dataclass(frozen=True, slots=True)
class Group(Generic[Drawn, Lacking]):
    """The rows of one chart.

    fixed    what its problems have in common
    varying  names in `fixed` that set it apart from the other charts of its family
    sizes    every size of the plan on this chart, drawn or not
    drawn    rows with a figure
    lacking  rows without one
    """

    axis: Axis
    fixed: Fixed
    varying: frozenset[str]
    sizes: tuple[int, ...]
    drawn: tuple[Drawn, ...]
    lacking: tuple[Lacking, ...]


def groups(
    axis: Axis, drawn: Iterable[Drawn], lacking: Iterable[Lacking] = ()
) -> list[Group[Drawn, Lacking]]:
    """Rows with a figure and rows without one, sorted into charts with two sizes or more."""
    having = {fixed: rows for fixed, rows in _sorted_out(axis, drawn).items() if _worth(axis, rows)}
    absent = _sorted_out(axis, lacking)
    varying = frozenset(_varying(having))
    return [
        Group(
            axis=axis,
            fixed=fixed,
            varying=varying,
            sizes=_sizes(axis, [*having[fixed], *absent.get(fixed, [])]),
            drawn=tuple(having[fixed]),
            lacking=tuple(absent.get(fixed, ())),
        )
        for fixed in _ordered(having)
    ]


def _sorted_out(axis: Axis, rows: Iterable[Row]) -> dict[Fixed, list[Row]]:
    found: dict[Fixed, list[Row]] = defaultdict(list)
    for row in rows:
        for fixed in _fixed(axis, row.problem):
            found[fixed].append(row)
    return found


def _worth(axis: Axis, rows: Sequence[OnProblem]) -> bool:
    devices = {row.problem.device for row in rows}
    return len(_sizes(axis, rows)) > 1 and (not axis.free or len(devices) > 1)


def _sizes(axis: Axis, rows: Iterable[OnProblem]) -> tuple[int, ...]:
    return tuple(sorted({axis.size(row.problem) for row in rows}))


def _fixed(axis: Axis, problem: Problem) -> Iterator[Fixed]:
    """The charts of a problem: two over heads, for key heads that grow along and that stay.

    heads   (query heads, key heads); over heads ("per key head", ratio) or ("key heads", count)
    length  (query rows, keys); over lengths the query rows, None where they grow with the keys
    """
    rest = problem.without("heads", "length", *filter(None, [axis.free]))
    heads = (problem.query_heads, problem.key_heads)
    lengths = (problem.query_length, problem.key_length)
    if axis.field == "length":
        rows = None if lengths[0] == lengths[1] else problem.query_length
        yield (*rest, ("heads", heads), ("length", rows))
        return
    for along in (("per key head", heads[0] // heads[1]), ("key heads", heads[1])):
        yield (*rest, ("heads", along), ("length", lengths))


def _varying(having: Iterable[Fixed]) -> Iterator[str]:
    values: dict[str, set[Hashable]] = defaultdict(set)
    for fixed in having:
        for name, value in fixed:
            values[name].add(value)
    return (name for name, found in values.items() if len(found) > 1)


def _ordered(having: Iterable[Fixed]) -> list[Fixed]:
    """The longest lengths first, else in the order of the plan."""
    having = list(having)
    places: dict[tuple[str, Any], int] = {}
    for fixed in having:
        for each in fixed:
            places.setdefault(each, len(places))

    def key(fixed: Fixed) -> tuple[int, ...]:
        own = dict(fixed)
        others = sorted(own.keys() - {*_SLOWEST, *_FASTEST})
        names = (name for name in (*_SLOWEST, *others, *_FASTEST) if name in own)
        return tuple((-1 if name == "length" else 1) * places[name, own[name]] for name in names)

    return sorted(having, key=key)


def without_length(problem: Problem) -> Kind:
    """Every field but the length, and the query rows where they are not as many as the keys."""
    even = problem.query_length == problem.key_length
    return problem.without("length"), None if even else problem.query_length


def without_sizes(problem: Problem) -> Kind:
    """Every field but length and heads, the query rows as above, and query heads a key head."""
    _, rows = without_length(problem)
    return problem.without("length", "heads"), rows, problem.query_heads // problem.key_heads
