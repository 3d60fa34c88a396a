"""Families of charts as text: axes, and what the problems of a chart have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from impls.interface import Problem
from reports.rows.families import Axis, Group
from reports.views.problems import fixed_words
from reports.views.text import counted

AXIS_TITLES: Final = {
    "length": "sequence length",
    "heads": "number of heads",
    "length_by_device": "sequence length, by device",
}
"""Part of the title of a family, by the name of its axis."""
_LABELS: Final = {"length": "sequence length (tokens)", "heads": "query heads"}


def axis_label(axis: Axis) -> str:
    """The label of an axis, with its unit."""
    return _LABELS[axis.field]


def from_size(axis: Axis, size: int) -> str:
    """The size from which on something holds: from T = 8192, from 16 heads."""
    return f"from T = {size}" if axis.field == "length" else f"from {counted(size, 'head')}"


def size_text(axis: Axis, size: float) -> str:
    """A size between measured ones: tokens to four digits, with commas; heads to a tenth."""
    if axis.field == "heads" and size < 100:
        return f"{size:.1f}".removesuffix(".0")
    return f"{float(f'{size:.4g}'):,.0f}"


def label(group: Group[Any, Any]) -> str:
    """What sets a chart apart from the others of its family; empty for a single chart."""
    words = _words(group).items()
    return ", ".join(text for name, text in words if text and name in group.varying)


def common(group: Group[Any, Any]) -> str:
    """What all charts of the family have in common."""
    words = _words(group).items()
    return ", ".join(text for name, text in words if text and name not in group.varying)


def where(group: Group[Any, Any]) -> str:
    """What sets the chart apart, then what it shares with the others of its family."""
    return ", ".join(part for part in (label(group), common(group)) if part)


def mask(group: Group[Any, Any]) -> str:
    """The mask of a chart in words."""
    return _words(group)["mask"]


def _words(group: Group[Any, Any]) -> dict[str, str]:
    """Every name of `fixed` with its words, sizes after mask and pass; empty for a default."""
    problem: Problem = group.drawn[0].problem
    words, fixed = fixed_words(problem), dict(group.fixed)
    sizes = {name: say(fixed[name]) for name, say in _SIZES[group.axis.field].items()}
    first = {name: words.pop(name) for name in ("mask", "training")}
    every = {**first, **sizes, **words}
    return {name: text for name, text in every.items() if name in fixed}


def _heads(heads: tuple[int, int]) -> str:
    own = counted(heads[0], "head")
    return own if heads[0] == heads[1] else f"{own} over {counted(heads[1], 'key head')}"


def _query_rows(rows: int | None) -> str:
    return "" if rows is None else counted(rows, "query row")


def _along_heads(along: tuple[str, int]) -> str:
    kind, count = along
    if kind == "key heads":
        return f"over {counted(count, 'key head')}"
    return "" if count == 1 else f"{count} query heads for each key head"


def _lengths(lengths: tuple[int, int]) -> str:
    if lengths[0] == lengths[1]:
        return f"length {lengths[0]}"
    return f"{counted(lengths[0], 'query row')}, {counted(lengths[1], 'key')}"


_SIZES: Final[dict[str, dict[str, Callable[[Any], str]]]] = {
    "length": {"heads": _heads, "length": _query_rows},
    "heads": {"heads": _along_heads, "length": _lengths},
}
"""How the sizes in `fixed` read, by the field of the axis."""
