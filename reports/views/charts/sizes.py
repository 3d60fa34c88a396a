"""Charts of time and memory over lengths and heads, and the keys of all charts of a panel.

Panels never share a chart: layers do more work for the same problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.rows.families import AXES, Axis, Group, groups
from reports.rows.measurements import Measurement
from reports.rows.panels import panels_of
from reports.views import families
from reports.views.cases import place
from reports.views.charts import categories
from reports.views.charts.chart import Chart, Series
from reports.views.charts.clipping import clipped
from reports.views.charts.efficiency import KEY, TIME_KEY, efficiency_charts
from reports.views.charts.palette import LINES, Look, looks_of
from reports.views.commands import labels
from reports.views.numbers import NOT_SEEN, mebibytes, milliseconds, spread, three_digits
from reports.views.panels import of_panel, prefix
from reports.views.problems import FACETS, common_facets, facets_beside
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated, counted
from suites.records.plan import Plan


@dataclass(frozen=True, slots=True)
class _Quantity:
    name: str
    unit: str
    value: Callable[[Measurement], float | None]
    note: str


_TIME: Final = _Quantity(
    "time",
    "ms",
    lambda row: row.median_ms,
    "A point is the median of the session medians; its bar is the spread over sessions, from "
    "the smallest to the largest. Verdicts are drawn from pairs within sessions instead.",
)
_MEMORY: Final = _Quantity(
    "memory",
    "MiB above the inputs",
    lambda row: None if row.peak_bytes is None else row.peak_bytes / 2**20,
    "A point is the peak of the bytes requested above the inputs in one call: output, "
    "workspace, and masks and weights that the first call makes and keeps.",
)
_QUANTITIES: Final = (_TIME, _MEMORY)


@dataclass(frozen=True, slots=True)
class _Absent:
    """An implementation that is not drawn at one problem, and why."""

    problem: Problem
    implementation: str
    why: str


@dataclass(frozen=True, slots=True)
class _Family:
    panel: str
    axis: Axis
    quantity: _Quantity

    @property
    def key(self) -> str:
        return f"{prefix(self.panel)}{self.quantity.name}_vs_{self.axis.name}"

    @property
    def title(self) -> str:
        quantity, axis = self.quantity.name.capitalize(), families.axis_title(self.axis)
        return f"{quantity}{of_panel(self.panel)} against {axis}"


_Group = Group[Measurement, _Absent]


def keys(plan: Plan) -> list[str]:
    """The key of every family of charts that is shown with a panel."""
    over_sizes = [f"{q.name}_vs_{axis.name}" for axis in AXES for q in _QUANTITIES]
    return [
        key
        for panel in panels_of(plan)
        for key in (
            *(f"{prefix(panel)}{each}" for each in (*over_sizes, TIME_KEY, KEY)),
            *categories.keys(panel),
        )
    ]


def charts(analysis: Analysis) -> list[Chart]:
    """Every chart of two sizes or more, of parallel efficiency, and of properties that are no size.

    With several numbers of threads, times and memory are those with the most.
    """
    style = looks_of(analysis.plan)
    absent = _absent(analysis)
    every = [_Family(p, a, q) for p in panels_of(analysis.plan) for a in AXES for q in _QUANTITIES]
    over_sizes = [
        clipped(_chart(analysis.plan, family, group, style))
        for family in every
        for group in _groups(analysis, family, absent.get(family.panel, []))
    ]
    return [
        *over_sizes,
        *efficiency_charts(analysis, style),
        *categories.category_charts(analysis, style),
    ]


def _absent(analysis: Analysis) -> dict[str, list[_Absent]]:
    """By panel the answers without a time with the most threads."""
    drawn = {(row.problem, row.implementation) for row in analysis.with_most_threads}
    found: dict[str, list[_Absent]] = defaultdict(list)
    for row in analysis.outcomes:
        if (row.problem, row.implementation) not in drawn:
            state = "not_reached" if row.status == "ok" else row.status
            found[row.panel].append(_Absent(row.problem, row.implementation, STATUS_WORDS[state]))
    return found


def _groups(analysis: Analysis, family: _Family, ended: Sequence[_Absent]) -> list[_Group]:
    own = [row for row in analysis.with_most_threads if row.panel == family.panel]
    drawn, absent = [], list(ended)
    for row in own:
        if family.quantity.value(row) is None:
            absent.append(_Absent(row.problem, row.implementation, _absent_peak(row)))
        else:
            drawn.append(row)
    return groups(family.axis, drawn, absent)


def _chart(plan: Plan, family: _Family, group: _Group, style: dict[str, Look]) -> Chart:
    common = common_facets(row.problem for row in group.drawn)
    series = _series(family, group, style, common)
    quantity = family.quantity
    return Chart(
        key=family.key,
        panel=family.panel,
        title=family.title,
        label=families.label(group),
        common=", ".join(filter(None, (families.common(group), *labels(plan)))),
        mask=families.mask(group),
        x_title=families.axis_label(family.axis),
        y_title=quantity.unit,
        log_x=True,
        log_y=all(value > 0 for each in series for value in each.y),
        series=series,
        note=" ".join(filter(None, (quantity.note, _not_drawn(group)))),
        alt=_alt(family, group, series),
        facets=common,
        ends=tuple(_line_ends(group)),
    )


def _line_ends(group: _Group) -> Iterator[str]:
    """Why lines end before the largest size: naive, chunked: out of memory from T = 8192."""
    last: dict[str, int] = defaultdict(int)
    for row in group.drawn:
        size = group.axis.size(row.problem)
        last[row.implementation] = max(last[row.implementation], size)
    first: dict[str, tuple[int, str]] = {}
    for absent in group.lacking:
        end, name = (group.axis.size(absent.problem), absent.why), absent.implementation
        if name in last and end[0] > last[name]:
            first[name] = min(first.get(name, end), end)
    for end in sorted(set(first.values())):
        names = sorted(abbreviated(name) for name in first if first[name] == end)
        who = "all" if len(names) == len(last) > 1 else ", ".join(names)
        yield f"{who}: {end[1]} {families.from_size(group.axis, end[0])}"


def _series(
    family: _Family, group: _Group, style: dict[str, Look], common: Mapping[str, str]
) -> tuple[Series, ...]:
    lines: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for row in group.drawn:
        lines[row.implementation, row.problem.device if family.axis.free else ""].append(row)
    devices = sorted({device for _, device in lines})
    found = []
    for (name, device), rows in sorted(lines.items()):
        look = style[name]
        if device:
            line = LINES[devices.index(device) % len(LINES)]
            look = Look(look.light, look.dark, look.marker, line)
        shown = f"{name} ({device})" if device else name
        found.append(replace(_line(family, shown, rows, look, common), implementation=name))
    return tuple(found)


def _line(
    family: _Family, name: str, rows: list[Measurement], look: Look, common: Mapping[str, str]
) -> Series:
    rows = sorted(rows, key=lambda row: family.axis.size(row.problem))
    with_spread = family.quantity is _TIME and any(row.sessions > 1 for row in rows)
    return Series(
        name=name,
        x=tuple(family.axis.size(row.problem) for row in rows),
        y=tuple(family.quantity.value(row) or 0 for row in rows),
        low=tuple(row.low_ms for row in rows) if with_spread else (),
        high=tuple(row.high_ms for row in rows) if with_spread else (),
        hover=tuple(_hover(name, row) for row in rows),
        look=look,
        facets=_facets_of(rows, common),
    )


def _facets_of(
    rows: Iterable[Measurement], common: Mapping[str, str]
) -> tuple[Mapping[str, str], ...]:
    """The facets of each point; empty where all problems of the chart share them."""
    if len(common) == len(FACETS) - 1:
        return ()
    return tuple(facets_beside(row.problem, common) for row in rows)


def _absent_peak(row: Measurement) -> str:
    """Why a row has no peak: another library allocated it, or it was not recorded."""
    return NOT_SEEN if row.unseen else "not recorded"


def _hover(name: str, row: Measurement) -> str:
    peak, resident = mebibytes(row.peak_bytes), mebibytes(row.resident_bytes)
    kept = mebibytes(row.kept_bytes)
    lines = (
        abbreviated(name),
        place(row),
        f"median {milliseconds(row.median_ms)} ms",
        f"spread {spread(row.low_ms, row.high_ms)} ms",
        f"{counted(row.sessions, 'session')}, {counted(row.samples, 'sample')}",
        f"peak {peak} MiB above the inputs" if peak else f"peak memory {_absent_peak(row)}",
        f"of it kept from the first call {kept} MiB" if row.kept_bytes else "",
        f"resident {resident} MiB" if resident else "",
        f"kernel {abbreviated(row.operator)}" if row.operator else "",
    )
    return "\n".join(line for line in lines if line)


def _not_drawn(group: _Group) -> str:
    """The implementations that are not drawn and why, with the sizes where not at all sizes."""
    sizes: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in group.lacking:
        sizes[abbreviated(row.implementation), row.why].add(group.axis.size(row.problem))
    parts = [
        f"{name} ({why})"
        if found == set(group.sizes)
        else f"{name} ({why} at {', '.join(map(str, sorted(found)))})"
        for (name, why), found in sorted(sizes.items())
    ]
    return f"Not drawn: {', '.join(parts)}." if parts else ""


def _alt(family: _Family, group: _Group, series: tuple[Series, ...]) -> str:
    """The chart in words."""
    ends = (
        f"{abbreviated(each.name)} from {three_digits(each.y[0])} at {each.x[0]:g} "
        f"to {three_digits(each.y[-1])} at {each.x[-1]:g}"
        for each in series
    )
    where = families.where(group)
    return f"{family.title}, in {family.quantity.unit}; {where}: {'; '.join(ends)}."
