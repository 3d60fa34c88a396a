"""Rows that belong on one chart: their problems differ in one size only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Protocol, TypeVar

from impls.interface import Problem

Fixed = tuple[tuple[str, Any], ...]
"""What the problems of one chart have in common, by name; values are hashable.

Names are fields of a Problem, `heads` and `length` for the fields of queries and keys together,
and further names of an axis: see `Axis.fixed`.
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

    name    part of a family's key
    size    the problem's place on it
    stays   what the problems of one chart share besides other fields, by name; several are several
            charts. Values replace the pairs of heads and of lengths
    varies  other fields that vary along it, besides heads and lengths
    holds   whether a problem is on it
    free    another field that may vary on one chart: `device`, or none
    fewest  sizes of a chart, at least
    """

    name: str
    size: Callable[[Problem], int]
    stays: Callable[[Problem], Iterable[Mapping[str, Any]]] = lambda _: ({},)
    varies: tuple[str, ...] = ()
    holds: Callable[[Problem], bool] = lambda _: True
    free: str = ""
    fewest: int = 2

    def fixed(self, problem: Problem) -> Iterator[Fixed]:
        """The keys of the charts of a problem; none where it is not on the axis."""
        if not self.holds(problem):
            return
        rest = problem.without("heads", "length", *self.varies, *filter(None, [self.free]))
        sizes = {"heads": _heads(problem), "length": _lengths(problem)}
        for own in self.stays(problem):
            yield (*rest, *{**sizes, **own}.items())


def _heads(problem: Problem) -> tuple[int, int]:
    return problem.query_heads, problem.key_heads


def _lengths(problem: Problem) -> tuple[int, int]:
    return problem.query_length, problem.key_length


def _is_even(problem: Problem) -> bool:
    return problem.query_length == problem.key_length


def _query_rows(problem: Problem) -> Iterator[Mapping[str, Any]]:
    """Over lengths the query rows stay, None where they grow with the keys."""
    yield {"length": None if _is_even(problem) else problem.query_length}


def _key_heads(problem: Problem) -> Iterator[Mapping[str, Any]]:
    """Two charts over heads: for key heads that grow along, and for key heads that stay."""
    yield {"heads": ("per key head", _group(problem))}
    yield {"heads": ("key heads", problem.key_heads)}


def _group(problem: Problem) -> int:
    """Query heads for each key head."""
    return problem.query_heads // problem.key_heads


def _reach(problem: Problem) -> int:
    """Keys that a query sees backwards, its own included; without a window the number of keys."""
    return problem.mask.left or problem.key_length


def _beside_reach(problem: Problem) -> Iterator[Mapping[str, Any]]:
    """The other parts of a mask: those ahead, padding and documents."""
    yield {"mask": str(replace(problem.mask, left=None))}


LENGTH: Final = Axis("length", lambda problem: problem.key_length, _query_rows)
"""With unequal lengths, that of the keys."""
HEADS: Final = Axis("heads", lambda problem: problem.query_heads, _key_heads)
AXES: Final = (
    replace(LENGTH, holds=_is_even),
    Axis("keys", lambda p: p.key_length, _query_rows, holds=lambda p: not _is_even(p)),
    HEADS,
    Axis("group", _group, lambda p: [{"heads": ("query heads", p.query_heads)}]),
    Axis("reach", _reach, _beside_reach, ("mask",), lambda p: p.mask.right is not None, fewest=3),
    Axis("batch", lambda problem: problem.batch, varies=("batch",)),
    replace(LENGTH, name="length_by_device", free="device"),
)
"""The axes of charts. One that stands here needs a title and a label in reports/views/families."""


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
        for fixed in axis.fixed(row.problem):
            found[fixed].append(row)
    return found


def _worth(axis: Axis, rows: Sequence[OnProblem]) -> bool:
    devices = {row.problem.device for row in rows}
    return len(_sizes(axis, rows)) >= axis.fewest and (not axis.free or len(devices) > 1)


def _sizes(axis: Axis, rows: Iterable[OnProblem]) -> tuple[int, ...]:
    return tuple(sorted({axis.size(row.problem) for row in rows}))


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
    return problem.without("length"), None if _is_even(problem) else problem.query_length


def without_sizes(problem: Problem) -> Kind:
    """Every field but length and heads, the query rows as above, and query heads a key head."""
    _, rows = without_length(problem)
    return problem.without("length", "heads"), rows, _group(problem)
