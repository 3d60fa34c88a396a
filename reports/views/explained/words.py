"""Words that the explanations of all methods share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from impls.interface import Problem
from reports.views.numbers import three_digits
from reports.views.sections import Row, Table, Value


def number(value: float) -> str:
    """With three digits; -inf as such, for the score of a hidden key."""
    return "-inf" if value == -inf else three_digits(round(value, 9))


def vector(values: Sequence[float], most: int = 4) -> str:
    """The first numbers of a vector, as (0.12, -0.5, ...)."""
    shown = ", ".join(map(number, values[:most]))
    return f"({shown}, ...)" if len(values) > most else f"({shown})"


def keys(first: int, end: int) -> str:
    """As "keys 4 to 7"; "no key" where there is none."""
    if first >= end:
        return "no key"
    return f"key {first}" if end - first == 1 else f"keys {first} to {end - 1}"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of texts, all of whose columns are shown."""
    cells = tuple(Row(tuple(map(Value, row))) for row in rows)
    return Table(caption, tuple(head), cells, shown=len(head))


def which_head(problem: Problem) -> str:
    """The sentence on heads that are not shown; empty for one head."""
    if problem.batch * problem.query_heads == 1:
        return ""
    return f"Shown is head 0 of batch row 0, of {problem.batch * problem.query_heads} heads in all."
