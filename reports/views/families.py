"""Families of charts as text: axes, and what the problems of a chart have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from reports.rows.families import Axis, Group
from reports.views.problems import fixed_words
from reports.views.text import counted


@dataclass(frozen=True, slots=True)
class _Words:
    """An axis in words.

    title  part of the title of a family
    label  of the axis, with its unit
    start  the size from which on something holds; {} is the size
    """

    title: str
    label: str
    start: str


_AXES: Final = {
    "length": _Words("sequence length", "sequence length (tokens)", "from T = {}"),
    "keys": _Words("number of keys", "keys", "from {} keys"),
    "heads": _Words("number of heads", "query heads", "from {} heads"),
    "group": _Words(
        "query heads for each key head", "query heads for each key head", "from {} for each"
    ),
    "reach": _Words("reach of the window", "reach of the window (keys)", "from a reach of {}"),
    "batch": _Words("batch size", "batch", "from batch {}"),
    "length_by_device": _Words(
        "sequence length, by device", "sequence length (tokens)", "from T = {}"
    ),
}
"""By the name of the axis."""


def axis_title(axis: Axis) -> str:
    """Part of the title of a family."""
    return _AXES[axis.name].title


def axis_label(axis: Axis) -> str:
    """The label of an axis, with its unit."""
    return _AXES[axis.name].label


def from_size(axis: Axis, size: int) -> str:
    """The size from which on something holds: from T = 8192, from 16 heads."""
    said = _AXES[axis.name].start.format(size)
    return said.removesuffix("s") if axis.name == "heads" and size == 1 else said


def size_text(axis: Axis, size: float) -> str:
    """A size between measured ones: tokens to four digits, with commas; heads to a tenth."""
    if axis.name == "heads" and size < 100:
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
    """The mask of a chart in words; empty where it varies."""
    return _words(group).get("mask", "")


def _words(group: Group[Any, Any]) -> dict[str, str]:
    """Every name of `fixed` with its words, sizes after mask and pass; empty for a default."""
    problem: Problem = group.drawn[0].problem
    words, fixed = fixed_words(problem), dict(group.fixed)
    own = {**_USUAL, **_SIZES.get(group.axis.name, {})}
    sizes = {name: say(fixed[name]) for name, say in own.items()}
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


def _whole_group(heads: tuple[str, int]) -> str:
    return counted(heads[1], "query head")


def _beside_reach(mask: str) -> str:
    return "" if mask == "causal" else f"{mask} besides"


_USUAL: Final[dict[str, Callable[[Any], str]]] = {"heads": _heads, "length": _lengths}
_SIZES: Final[dict[str, dict[str, Callable[[Any], str]]]] = {
    "length": {"length": _query_rows},
    "length_by_device": {"length": _query_rows},
    "keys": {"length": _query_rows},
    "heads": {"heads": _along_heads},
    "group": {"heads": _whole_group},
    "reach": {"mask": _beside_reach},
}
"""How the sizes in `fixed` read, by the name of the axis, where not as usual."""
