"""How close to the limit: rooflines, and tables of the share of the attainable rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import geometric_mean
from typing import Final

from reports.analysis.roofline import Roofline, intensity, rate, rooflines
from reports.analysis.run_analysis import Analysis
from reports.rows.families import Kind, without_sizes
from reports.rows.measurements import Measurement
from reports.views.cases import place
from reports.views.charts.chart import Chart, Series
from reports.views.charts.clipping import clipped
from reports.views.charts.palette import NEUTRAL, Look, looks_of
from reports.views.commands import labels
from reports.views.machine import ceiling_rate
from reports.views.numbers import attainable, milliseconds, three_digits
from reports.views.panels import of_panel, prefix, subject
from reports.views.problems import common_facets, kind_parts
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from suites.stats.ceilings import Ceiling

ORDER: Final = 3
KEY: Final = "roofline"
_HEAD: Final = ("implementation", "on", "at best", "there", "at worst", "there")
_BARS: Final = "points: geometric means over the numbers of heads; bars: the least to the greatest"
_NOTE: Final = (
    "A line joins the lengths of one implementation. A point is a rate: multiplications and "
    "additions over the median time, against those for each byte that has to move at least. Where "
    "several numbers of heads were measured, it is their geometric mean, and its bar goes from the "
    "least to the greatest. In training, seven matrix products count for every "
    "implementation; one that keeps the scores needs six. Lines are rates that this machine "
    "reached, medians over the sessions. A point above a sloped line read its data from a faster "
    "cache."
)


def section(analysis: Analysis) -> Section:
    """Rooflines, and the best and worst share of the attainable rate."""
    return Section(
        id="limit",
        heading="How close to the limit",
        charts=tuple(roofline_charts(analysis)),
        tables=tuple(share_tables(analysis)),
    )


def roofline_charts(analysis: Analysis) -> list[Chart]:
    """A chart for each panel, device, dtype and kind of problems with ceilings.

    Times are those with the most threads.
    """
    style = looks_of(analysis.plan)
    charts = (
        _chart(analysis, found, label, rows, style)
        for found in rooflines(analysis)
        for label, rows in _kinds(found)
    )
    return [clipped(each) for each in charts if each is not None]


def _kinds(found: Roofline) -> Iterator[tuple[str, Sequence[Measurement]]]:
    """The rows of each kind of problems, with its label: float32 on cpu, causal mask."""
    kinds: dict[Kind, list[Measurement]] = {}
    for row in found.rows:
        kinds.setdefault(without_sizes(row.problem), []).append(row)
    words = [kind_parts(rows[0].problem) for rows in kinds.values()]
    shared = set.intersection(*map(set, words))
    for own, rows in zip(words, kinds.values(), strict=True):
        apart = [word for word in own if word not in shared]
        yield ", ".join((f"{found.dtype} on {found.device}", *apart)), rows


def share_tables(analysis: Analysis) -> list[Table]:
    """For each panel, the best and the worst share of the attainable of every implementation."""
    rows: dict[str, list[Row]] = {}
    for found in rooflines(analysis):
        by_name: dict[str, list[tuple[float, Measurement]]] = {}
        for row in found.rows:
            if row.share_of_attainable is not None:
                own = by_name.setdefault(row.implementation, [])
                own.append((row.share_of_attainable, row))
        rows.setdefault(found.panel, []).extend(map(_row, by_name.values()))
    return [
        Table(f"Share of the attainable: {subject(panel)}", _HEAD, tuple(own), shown=len(_HEAD))
        for panel, own in rows.items()
        if own
    ]


def _chart(
    analysis: Analysis,
    found: Roofline,
    label: str,
    rows: Sequence[Measurement],
    style: Mapping[str, Look],
) -> Chart | None:
    common = common_facets(row.problem for row in rows)
    points = tuple(_points(rows, style, common))
    lines = tuple(_lines(found.ceilings, [x for each in points for x in each.x]))
    if not lines:
        return None
    title = f"Roofline{of_panel(found.panel)}"
    return Chart(
        key=f"{prefix(found.panel)}{KEY}",
        panel=found.panel,
        title=title,
        label=label,
        common=", ".join(labels(analysis.plan)),
        mask=str(rows[0].problem.mask),
        x_title="FLOP per byte",
        y_title="GFLOP/s",
        log_x=True,
        log_y=True,
        series=(*points, *lines),
        note=_NOTE,
        alt=_alt(title, label, points),
        facets=common,
        ticks=False,
        bars=_BARS,
    )


def _points(
    rows: Sequence[Measurement], style: Mapping[str, Look], common: Mapping[str, str]
) -> Iterator[Series]:
    for name in sorted({row.implementation for row in rows}):
        own = _by_length([row for row in rows if row.implementation == name])
        rates = [list(map(rate, each)) for each in own]
        some = any(len(each) > 1 for each in own)
        yield Series(
            name=name,
            x=tuple(geometric_mean(map(intensity, each)) for each in own),
            y=tuple(map(geometric_mean, rates)),
            low=tuple(map(min, rates)) if some else (),
            high=tuple(map(max, rates)) if some else (),
            hover=tuple(_hover(name, each) for each in own),
            look=style[name],
            implementation=name,
            drawn="joined",
            facets=tuple(_facets_beside(each, common) for each in own),
        )


def _by_length(rows: Sequence[Measurement]) -> list[list[Measurement]]:
    """The rows of each length, by growing length: they differ in heads only."""
    found: dict[tuple[int, int], list[Measurement]] = {}
    for row in rows:
        found.setdefault((row.problem.key_length, row.problem.query_length), []).append(row)
    return [found[length] for length in sorted(found)]


def _facets_beside(rows: Sequence[Measurement], common: Mapping[str, str]) -> Mapping[str, str]:
    """The facets that the rows of a point share, and its chart does not have as a whole."""
    own = common_facets(row.problem for row in rows)
    return {name: text for name, text in own.items() if name not in common}


def _lines(ceilings: Sequence[Ceiling], intensities: Sequence[float]) -> Iterator[Series]:
    """Each ceiling: a level for matrix products, a slope up to the highest level for bandwidths."""
    levels = [each.value for each in ceilings if each.kind == "matmul"]
    bandwidths = [each.value for each in ceilings if each.kind != "matmul"]
    if not levels or not bandwidths:
        return
    first = min(*intensities, *(max(levels) / each for each in bandwidths)) / 2
    last = max(*intensities, *(max(levels) / each for each in bandwidths)) * 2
    for each in sorted(ceilings, key=lambda one: (one.kind, one.residency)):
        text = f"{each.kind} in {each.residency} {ceiling_rate(each)}"
        if each.kind == "matmul":
            x, y = (first, last), (each.value / 1e9,) * 2
        else:
            x = (first, max(levels) / each.value)
            y = (first * each.value / 1e9, max(levels) / 1e9)
        yield ceiling_line(text, x, y, each)


def ceiling_line(
    text: str, x: tuple[float, float], y: tuple[float, float], ceiling: Ceiling
) -> Series:
    """The line of a ceiling; its grey shows the residency and its dashes the kind."""
    dashes = {"matmul": "solid", "copy": "dash", "read": "dot"}
    look = Look(*NEUTRAL[ceiling.residency != "cache"], "circle", dashes[ceiling.kind])
    return Series(name=text, x=x, y=y, low=(), high=(), hover=(text, text), look=look, drawn="bare")


def _hover(name: str, rows: Sequence[Measurement]) -> str:
    """The measurement of a point, or each of several by its heads."""
    if len(rows) == 1:
        return _hover_one(name, rows[0])
    mean = three_digits(geometric_mean(map(rate, rows)))
    each = (
        f"{counted(row.problem.query_heads, 'head')}: {three_digits(rate(row))} GFLOP/s, "
        f"{milliseconds(row.median_ms)} ms"
        for row in sorted(rows, key=lambda row: row.problem.query_heads)
    )
    length = f"T = {rows[0].problem.key_length}, {mean} GFLOP/s on average"
    return "\n".join((abbreviated(name), length, *each))


def _hover_one(name: str, row: Measurement) -> str:
    share = _share(row)
    lines = (
        abbreviated(name),
        place(row),
        f"{three_digits(rate(row))} GFLOP/s, {milliseconds(row.median_ms)} ms",
        f"{share} of the attainable" if share.endswith("%") else share,
    )
    return "\n".join(line for line in lines if line)


def _share(row: Measurement) -> str:
    return attainable(row.share_of_attainable, checked_again=row.checked_again)


def _row(own: Sequence[tuple[float, Measurement]]) -> Row:
    """The best and the worst of one implementation, each with its share."""
    best, worst = max(own, key=lambda each: each[0]), min(own, key=lambda each: each[0])
    name, problem = best[1].implementation, best[1].problem
    return Row(
        cells=(
            Value(abbreviated(name)),
            Value(f"{problem.dtype} on {problem.device}"),
            *(
                cell
                for share, row in (best, worst)
                for cell in (Value(_share(row), share), Value(str(row.problem)))
            ),
        ),
        facets=common_facets((row.problem for _, row in own), name),
    )


def _alt(title: str, label: str, points: Sequence[Series]) -> str:
    """The chart in words."""
    said = (
        f"{abbreviated(each.name)} {three_digits(min(each.y))} to {three_digits(max(each.y))} "
        "GFLOP/s"
        for each in points
    )
    return f"{title}; {label}: {'; '.join(said)}."
