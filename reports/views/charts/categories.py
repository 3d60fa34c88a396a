"""Charts of times by a property that is no size: the dtype, positions in the scores, padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from impls.interface import Mask, Problem
from impls.interface.problem import DTYPES
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.views.charts.chart import MEDIANS, Chart, Series
from reports.views.charts.clipping import clipped
from reports.views.charts.palette import Look
from reports.views.commands import labels
from reports.views.numbers import milliseconds, spread, three_digits
from reports.views.panels import of_panel, prefix
from reports.views.problems import common_facets
from reports.views.text import abbreviated
from suites.records.plan import Plan

MOST_CHARTS: Final = 12
"""Charts of one category in a panel; the first in the plan's order."""
_NOTE: Final = (
    "A point is the median of the session medians; its bar goes from the smallest to the largest. "
    "Lines join the points of one implementation; between them there is nothing."
)


@dataclass(frozen=True, slots=True)
class Category:
    """A property of problems with a few values.

    name   part of a chart's key
    title  part of the title of a chart
    of     the value of a problem in words
    stays  what the problems of one chart share
    shared the same in words
    """

    name: str
    title: str
    of: Callable[[Problem], str]
    stays: Callable[[Problem], Hashable]
    shared: Callable[[Problem], str]


def padded(mask: Mask, key_length: int) -> str:
    """The side of the padding: none, right, left, both; or the most that is hidden, on both."""
    if mask.padding is None:
        return "none"
    if isinstance(mask.padding, float):
        return f"{100 * mask.padding:g} %"
    if all(start == 0 for start, _ in mask.padding):
        return "right"
    return "left" if all(end == key_length for _, end in mask.padding) else "both"


def _dropping(problem: Problem, word: str) -> str:
    return " ".join(each for each in str(problem).split() if each != word)


def _unpadded(problem: Problem) -> str:
    return str(replace(problem, mask=replace(problem.mask, padding=None)))


CATEGORIES: Final = (
    Category(
        "dtype",
        "dtype",
        lambda p: p.dtype,
        lambda p: p.without("dtype"),
        lambda p: _dropping(p, DTYPES[p.dtype]),
    ),
    Category(
        "bias",
        "positions in the scores",
        lambda p: str(p.bias),
        lambda p: p.without("bias"),
        lambda p: _dropping(p, str(p.bias)),
    ),
    Category(
        "padding",
        "padding: its side, or the most that is hidden on both",
        lambda p: padded(p.mask, p.key_length),
        _unpadded,
        _unpadded,
    ),
)


def keys(panel: str) -> list[str]:
    """The keys of these charts in a panel."""
    return [f"{prefix(panel)}time_by_{each.name}" for each in CATEGORIES]


def category_charts(analysis: Analysis, style: Mapping[str, Look]) -> list[Chart]:
    """A chart for each kind of problems that have two values of a category or more.

    style  a look for each implementation

    Times are those with the most threads.
    """
    return [
        clipped(_chart(analysis.plan, panel, category, rows, style))
        for panel in panels_of(analysis.plan)
        for category in CATEGORIES
        for rows in _groups(analysis, panel, category)
    ]


def _groups(analysis: Analysis, panel: str, category: Category) -> Iterator[list[Measurement]]:
    """The rows of each chart."""
    found: dict[Hashable, list[Measurement]] = {}
    for row in analysis.with_most_threads:
        if row.panel == panel and row.median_ms:
            found.setdefault(category.stays(row.problem), []).append(row)
    worth = [rows for rows in found.values() if len({category.of(r.problem) for r in rows}) > 1]
    yield from worth[:MOST_CHARTS]


def _chart(
    plan: Plan,
    panel: str,
    category: Category,
    rows: list[Measurement],
    style: Mapping[str, Look],
) -> Chart:
    values = list(dict.fromkeys(category.of(row.problem) for row in rows))
    series = tuple(_series(category, rows, values, style))
    title = f"Time{of_panel(panel)} by {category.title}"
    return Chart(
        key=f"{prefix(panel)}time_by_{category.name}",
        panel=panel,
        title=title,
        label=category.shared(rows[0].problem),
        common=", ".join(labels(plan)),
        mask=str(rows[0].problem.mask),
        x_title=category.title,
        y_title="ms",
        log_x=False,
        log_y=True,
        series=series,
        note=_NOTE,
        alt=_alt(title, values, series),
        facets=common_facets(row.problem for row in rows),
        sizes=tuple(range(len(values))),
        bars=MEDIANS,
        names=tuple(values),
    )


def _series(
    category: Category, rows: list[Measurement], values: list[str], style: Mapping[str, Look]
) -> Iterator[Series]:
    for name in sorted({row.implementation for row in rows}):
        own = sorted(
            (row for row in rows if row.implementation == name),
            key=lambda row: values.index(category.of(row.problem)),
        )
        several = any(row.sessions > 1 for row in own)
        yield Series(
            name=name,
            x=tuple(values.index(category.of(row.problem)) for row in own),
            y=tuple(row.median_ms for row in own),
            low=tuple(row.low_ms for row in own) if several else (),
            high=tuple(row.high_ms for row in own) if several else (),
            hover=tuple(map(_hover, own)),
            look=style[name],
            implementation=name,
        )


def _hover(row: Measurement) -> str:
    return "\n".join(
        (
            abbreviated(row.implementation),
            str(row.problem),
            f"median {milliseconds(row.median_ms)} ms",
            f"spread {spread(row.low_ms, row.high_ms)} ms",
        )
    )


def _alt(title: str, values: list[str], series: tuple[Series, ...]) -> str:
    """The chart in words."""
    said = (
        f"{abbreviated(each.name)} "
        + ", ".join(
            f"{three_digits(y)} with {values[int(x)]}" for x, y in zip(each.x, each.y, strict=True)
        )
        for each in series
    )
    return f"{title}, in ms: {'; '.join(said)}."
