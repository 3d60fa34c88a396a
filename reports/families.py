"""Which problems belong on one chart: those that differ in one size only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from impls.interface import Problem
from reports import words
from reports.tables import parsed

Fixed = tuple[tuple[str, str], ...]
"""What the problems of one chart have in common: each field's name and its words."""
_ORDER: Final = (
    "heads",
    "length",
    "batch",
    "head_dim",
    "values",
    "bias",
    "scale",
    "softcap",
    "sink",
    "dtype",
    "device",
)
"""Charts are sorted by these, then by pass, then by mask, each in the order of the plan."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A size that charts are drawn over.

    name   part of a family's key
    words  part of its title
    label  of the axis, with its unit
    field  what varies along it: length or heads
    free   the other field that may differ on one chart: device, or nothing
    """

    name: str
    words: str
    label: str
    field: str
    free: str = ""

    def size(self, problem: Problem) -> int:
        """The problem's place on the axis; with unequal lengths the keys count."""
        return problem.query_heads if self.field == "heads" else problem.key_length


AXES: Final = (
    Axis("length", "sequence length", "sequence length (tokens)", "length"),
    Axis("heads", "number of heads", "query heads", "heads"),
    Axis(
        "length_by_device",
        "sequence length, by device",
        "sequence length (tokens)",
        "length",
        "device",
    ),
)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one chart.

    label   what sets it apart from the other charts of its family; empty when it is the only one
    common  what all charts of the family have in common
    mask    the mask in words
    sizes   every size of the plan on this chart, drawn or not
    """

    label: str
    common: str
    mask: str
    sizes: tuple[int, ...]
    drawn: tuple[dict[str, Any], ...]
    lacking: tuple[dict[str, Any], ...]


def groups(
    axis: Axis, drawn: Iterable[dict[str, Any]], lacking: Iterable[dict[str, Any]]
) -> list[Group]:
    """Rows that have a figure and rows that lack one, sorted into charts with two sizes or more."""
    having = {fixed: rows for fixed, rows in _sorted_out(axis, drawn).items() if _worth(axis, rows)}
    absent = _sorted_out(axis, lacking)
    varying = _varying(having)
    return [
        Group(
            label=_sentence(fixed, lambda field: field in varying),
            common=_sentence(fixed, lambda field: field not in varying),
            mask=dict(fixed)["mask"],
            sizes=_sizes(axis, [*having[fixed], *absent.get(fixed, [])]),
            drawn=tuple(having[fixed]),
            lacking=tuple(absent.get(fixed, ())),
        )
        for fixed in _ordered(having)
    ]


def _sorted_out(axis: Axis, rows: Iterable[dict[str, Any]]) -> dict[Fixed, list[dict[str, Any]]]:
    found: dict[Fixed, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for fixed in _fixed(axis, parsed(row["problem"])):
            found[fixed].append(row)
    return found


def _worth(axis: Axis, rows: list[dict[str, Any]]) -> bool:
    devices = {parsed(row["problem"]).device for row in rows}
    return len(_sizes(axis, rows)) > 1 and (not axis.free or len(devices) > 1)


def _sizes(axis: Axis, rows: Iterable[dict[str, Any]]) -> tuple[int, ...]:
    return tuple(sorted({axis.size(parsed(row["problem"])) for row in rows}))


def _fixed(axis: Axis, problem: Problem) -> Iterator[Fixed]:
    """The charts a problem stands on: two over heads, as key heads grow along or stay."""
    lengths, heads = _length_words(problem), _head_words(problem)
    if axis.field == "length":
        queries = words.counted(problem.query_length, "query row")
        even = problem.query_length == problem.key_length
        yield _fields(axis, problem, heads, "" if even else queries)
        return
    ratio = problem.query_heads // problem.key_heads
    along = "" if ratio == 1 else f"{ratio} query heads for each key head"
    yield _fields(axis, problem, along, lengths)
    yield _fields(axis, problem, f"over {words.counted(problem.key_heads, 'key head')}", lengths)


def optional_words(problem: Problem) -> dict[str, str]:
    """What few problems have, in words; empty where one has it not."""
    return {
        "bias": "" if problem.bias.kind == "none" else f"{problem.bias} bias",
        "scale": "" if problem.scale is None else f"scale {problem.scale:g}",
        "values": "" if problem.value_dim is None else f"value dimension {problem.value_dim}",
        "softcap": "" if problem.softcap is None else f"softcap {problem.softcap:g}",
        "sink": "a sink" if problem.sink else "",
        "layout": "" if problem.layout == "bhtd" else f"layout {problem.layout}",
    }


def _fields(axis: Axis, problem: Problem, heads: str, lengths: str) -> Fixed:
    optional = optional_words(problem)
    fields = {
        "mask": f"{problem.mask} mask",
        "pass": "training" if problem.training else "forward",
        "heads": heads,
        "length": lengths,
        "batch": f"batch {problem.batch}",
        "head_dim": f"head dimension {problem.head_dim}",
        **optional,
        "bias": optional["bias"] or "no bias",
        "dtype": problem.dtype,
        "device": problem.device,
    }
    return tuple((name, text) for name, text in fields.items() if name != axis.free)


def _length_words(problem: Problem) -> str:
    if problem.query_length == problem.key_length:
        return f"length {problem.query_length}"
    queries = words.counted(problem.query_length, "query row")
    return f"{queries}, {words.counted(problem.key_length, 'key')}"


def _head_words(problem: Problem) -> str:
    own = words.counted(problem.query_heads, "head")
    if problem.query_heads == problem.key_heads:
        return own
    return f"{own} over {words.counted(problem.key_heads, 'key head')}"


def _varying(having: Iterable[Fixed]) -> set[str]:
    values: dict[str, set[str]] = defaultdict(set)
    for fixed in having:
        for field, text in fixed:
            values[field].add(text)
    return {field for field, texts in values.items() if len(texts) > 1}


def _sentence(fixed: Fixed, wanted: Any) -> str:
    return ", ".join(text for field, text in fixed if text and text != "no bias" and wanted(field))


def _ordered(having: dict[Fixed, list[dict[str, Any]]]) -> list[Fixed]:
    """Longest first, else in the order of the plan; masks vary fastest."""
    places: dict[tuple[str, str], int] = {}
    for fixed in having:
        for each in fixed:
            places.setdefault(each, len(places))

    def key(fixed: Fixed) -> tuple[int, ...]:
        texts = dict(fixed)
        fields = [field for field in (*_ORDER, "pass", "mask") if field in texts]
        sign = {"length": -1}
        return tuple(sign.get(field, 1) * places[field, texts[field]] for field in fields)

    return sorted(having, key=key)
