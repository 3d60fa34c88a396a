"""Tables of operators: by name, and by the source line that called them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.profile.operators import Operators, Row
from reports.views import sections
from reports.views.numbers import milliseconds, number, percent
from reports.views.problems import facets
from reports.views.sections import Table, Value
from reports.views.values import figure, whole

LEAST_SHARE: Final = 0.005
"""Rows below this share of the call are one row: views and number conversions are hundreds."""
NO_LINE: Final = "not known"
_RATES: Final = ("GFLOP/s", "GB/s", "part of ceiling", "shapes of inputs")
_RATE_NAMES: Final = ("flops_per_s", "bytes_per_s", "part_of_ceiling", "shapes")


def by_operator(every: Sequence[Operators]) -> Table:
    """A row for each operator of each profile."""
    problems = _problems(every)
    rows = [
        _row(each, row, problems, [Value(shown(row.name)), Value(row.category)])
        for each in every
        for row in kept(each.by_operator)
    ]
    first = ("implementation", *(["problem"] if len(problems) > 1 else []))
    head = ("operator", "kind", "self ms", "share", "calls", "total ms")
    names = ("operator", "kind", "self_ms", "share", "calls", "total_ms")
    return Table(
        caption="By operator, in one profiled call. Self time is without the operators it calls.",
        head=(*first, *head, *_RATES),
        rows=tuple(rows),
        shown=len(first) + 8,
        names=(*first, *names, *_RATE_NAMES),
    )


def by_line(every: Sequence[Operators]) -> Table:
    """A row for each source line and operator of each profile."""
    problems = _problems(every)
    rows = [
        _row(each, row, problems, [Value(_line(row)), Value(shown(row.name))])
        for each in every
        for row in kept(each.by_line)
    ]
    first = ("implementation", *(["problem"] if len(problems) > 1 else []))
    head = ("source line", "operator", "self ms", "share", "calls", "total ms")
    names = ("source_line", "operator", "self_ms", "share", "calls", "total_ms")
    return Table(
        caption="By source line and operator, in one profiled call. A backward operator has the "
        "line of its forward operator.",
        head=(*first, *head, *_RATES),
        rows=tuple(rows),
        shown=len(first) + 8,
        names=(*first, *names, *_RATE_NAMES),
    )


def _line(row: Row) -> str:
    return "" if row.is_rest else row.line or NO_LINE


def kept(rows: Sequence[Row]) -> list[Row]:
    """The rows with a share that matters, and one for the others."""
    large = [row for row in rows if row.share >= LEAST_SHARE]
    small = [row for row in rows if row.share < LEAST_SHARE]
    if len(small) < 2:
        return list(rows)
    others = Row(
        name=f"{len(small)} others, each below {percent(LEAST_SHARE)}",
        category="other",
        is_rest=True,
        calls=sum(row.calls for row in small),
        self_ns=sum(row.self_ns for row in small),
        total_ns=sum(row.self_ns for row in small),
        share=sum(row.share for row in small),
    )
    return [*large, others]


def shown(name: str) -> str:
    """An operator's name without the name of torch's library."""
    return name.removeprefix("aten::")


def part(row: Row) -> str:
    """Its part of the ceiling: 61 % of products, 40 % of copying; empty where it is not known."""
    if row.part is None or row.ceiling is None:
        return ""
    return f"{percent(row.part)} of {CEILINGS[row.ceiling.kind]}"


CEILINGS: Final = {"matmul": "products", "read": "reading", "copy": "copying"}
"""The operation of each ceiling."""


def _problems(every: Sequence[Operators]) -> list[Problem]:
    return list(dict.fromkeys(each.profile.problem for each in every))


def _row(
    found: Operators, row: Row, problems: Sequence[Problem], named: Sequence[Value]
) -> sections.Row:
    profile = found.profile
    several = [Value(str(profile.problem))] if len(problems) > 1 else []
    flops, moved = row.flops_per_s, row.bytes_per_s
    return sections.Row(
        cells=(
            Value(profile.implementation),
            *several,
            *named,
            figure(row.self_ns / 1e6, milliseconds(row.self_ns / 1e6)),
            figure(row.share, percent(row.share)),
            whole(row.calls or None, ""),
            figure(row.total_ns / 1e6, milliseconds(row.total_ns / 1e6)),
            figure(flops, number(None if flops is None else flops / 1e9), ""),
            figure(moved, number(None if moved is None else moved / 1e9), ""),
            figure(row.part, part(row), ""),
            Value(row.shapes),
        ),
        facets=facets(profile.problem, profile.implementation),
    )
