"""What a part of the page is: sentences, charts and tables under one heading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from reports.drawing.series import Chart, Map
from reports.tables import parsed

FACETS: Final = ("implementation", "device", "dtype", "mask", "pass", "heads")
"""What a page can be filtered by."""


@dataclass(frozen=True, slots=True)
class Value:
    """What stands in a cell, and the number it is sorted by, where that is not its text."""

    text: str
    order: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `facets` is what it is filtered by, `command` repeats its measurement."""

    cells: tuple[Value, ...]
    facets: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a reader can sort and filter."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page. `id` is of small letters and hyphens."""

    id: str
    heading: str
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart | Map, ...] = ()
    tables: tuple[Table, ...] = ()


@lru_cache(maxsize=4096)
def facets(problem: str, implementation: str = "") -> Mapping[str, str]:
    """What a page can be filtered by, of a problem as printed: device, dtype, mask, pass, heads."""
    found = parsed(problem)
    heads = (found.query_heads, found.key_heads)
    known = {
        "implementation": implementation,
        "device": found.device,
        "dtype": found.dtype,
        "mask": str(found.mask),
        "pass": "training" if found.training else "forward",
        "heads": f"{heads[0]}" if heads[0] == heads[1] else f"{heads[0]}/{heads[1]}",
    }
    return MappingProxyType({name: text for name, text in known.items() if text})


def common_facets(every: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Those facets that all of several have, with the same value."""
    first, *others = every
    return {
        name: text
        for name, text in first.items()
        if all(other.get(name) == text for other in others)
    }
