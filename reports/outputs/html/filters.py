"""Filters of the page: values of every facet, and marks of rows, charts and columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from reports.views.charts.chart import Chart, Map
from reports.views.problems import FACETS, facets
from reports.views.sections import Section
from reports.views.text import abbreviated
from suites.records.plan import Plan


class Filters:
    """The values of every facet that occur in runs, in the order of their plans; else none.

    The script of the page uses positions of values, so names never become part of a selector.
    """

    def __init__(self, plans: Sequence[Plan] = (), sections: Iterable[Section] = ()) -> None:
        self.values: dict[str, dict[str, int]] = {name: {} for name in FACETS}
        own = (facets(problem) for plan in plans for problem in plan.problems)
        names = ({"implementation": entry.name} for plan in plans for entry in plan.entries)
        for each in chain(own, names, *map(_facets_of, sections)):
            for name, text in each.items():
                self.values[name].setdefault(text, len(self.values[name]))

    def places(self, of: Mapping[str, str]) -> list[int]:
        """The position of each facet's value, in the order of FACETS; -1 without a value."""
        return [self.values[name][of[name]] if name in of else -1 for name in FACETS]

    def mark(self, of: Mapping[str, str]) -> str:
        """The same as an attribute of an element: `3,0,0,1,0,2`."""
        return ",".join(map(str, self.places(of)))

    def offered(self) -> list[tuple[int, str, list[tuple[int, str]]]]:
        """Filters with two values or more: position, name, and each value with its position."""
        return [
            (place, name, [(index, abbreviated(text)) for text, index in own.items()])
            for place, (name, own) in enumerate(self.values.items())
            if len(own) > 1
        ]


def _facets_of(section: Section) -> Iterator[Mapping[str, str]]:
    for chart in section.charts:
        yield chart.facets
        if isinstance(chart, Chart):
            for series in chart.series:
                yield {"implementation": series.implementation} if series.implementation else {}
                yield from series.facets
        elif isinstance(chart, Map):
            yield from ({"implementation": tile.name} for tile in chart.tiles if tile.name)
    for table in section.tables:
        yield from (row.facets for row in table.rows)
