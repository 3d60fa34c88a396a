"""A run to chart descriptions: what is drawn, apart from how it is drawn.

Layers never share a chart with attention: they do more work for the same problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.drawing.efficiency import KEY, efficiency_charts
from reports.drawing.palette import LINES, Look, looks
from reports.drawing.series import Chart, Series
from reports.families import AXES, Axis, Group, groups
from reports.panels import ATTENTION, panels_of, prefix, subject
from reports.sections import FACETS, common_facets, facets
from reports.tables import parsed
from suites.records.plan import Plan


@dataclass(frozen=True, slots=True)
class _Quantity:
    name: str
    column: str
    unit: str
    divisor: int
    note: str


_QUANTITIES: Final = (
    _Quantity(
        "time",
        "median_ms",
        "ms",
        1,
        "A point is the median of the session medians; its bar is the spread over sessions, from "
        "the smallest to the largest. Verdicts are drawn from pairs within sessions instead.",
    ),
    _Quantity(
        "memory",
        "peak_bytes",
        "MiB above the inputs",
        2**20,
        "A point is the peak of the bytes requested above the inputs in one call, output and "
        "workspace included, and whatever its first call makes and keeps: masks, weights.",
    ),
)


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
        whose = "" if self.panel == ATTENTION else f" of {subject(self.panel)}"
        return f"{self.quantity.name.capitalize()}{whose} against {self.axis.words}"


def files(plan: Plan) -> list[str]:
    """The name of every PNG file that the charts of a run may make."""
    families = [f"{quantity}_vs_{axis.name}" for axis in AXES for quantity in ("time", "memory")]
    return [f"{prefix(p)}{key}.png" for p in panels_of(plan) for key in (*families, KEY)]


def charts(analysis: Analysis) -> list[Chart]:
    """Every chart the run has the sizes for: two lengths, two numbers of heads or of threads.

    With several numbers of threads, times and memory are those with the most.
    """
    every, measured = analysis.measurements, analysis.with_most_threads
    drawn = {(row["problem"], row["implementation"]) for row in measured}
    ended = [
        row for row in analysis.outcomes if (row["problem"], row["implementation"]) not in drawn
    ]
    style = looks(entry.name for entry in analysis.plan.entries)
    labels = words.labels(analysis.plan)
    panels = panels_of(analysis.plan)
    families = [_Family(p, a, q) for p in panels for a in AXES for q in _QUANTITIES]
    over_sizes = [
        _chart(family, group, style, labels)
        for family in families
        for group in _groups(family, measured, ended)
    ]
    return [*over_sizes, *efficiency_charts(analysis.plan, every, style)]


def _groups(
    family: _Family, measured: list[dict[str, Any]], ended: list[dict[str, Any]]
) -> list[Group]:
    column, panel = family.quantity.column, family.panel
    own = [row for row in measured if row["panel"] == panel]
    lacking = [row for row in ended if row["panel"] == panel]
    lacking += [{**row, "status": "not recorded"} for row in own if row[column] is None]
    return groups(family.axis, [row for row in own if row[column] is not None], lacking)


def _chart(family: _Family, group: Group, style: dict[str, Look], labels: list[str]) -> Chart:
    common = common_facets(facets(row["problem"]) for row in group.drawn)
    series = _series(family, group, style, common)
    absent = _absent(family.axis, group)
    quantity = family.quantity
    return Chart(
        key=family.key,
        panel=family.panel,
        title=family.title,
        label=group.label,
        common=", ".join(part for part in (group.common, *labels) if part),
        mask=group.mask,
        x_title=family.axis.label,
        y_title=quantity.unit,
        log_x=True,
        log_y=all(value > 0 for each in series for value in each.y),
        series=series,
        note=" ".join(part for part in (quantity.note, absent) if part),
        alt=_in_words(family, group, series),
        facets=common,
    )


def _series(
    family: _Family, group: Group, style: dict[str, Look], common: Mapping[str, str]
) -> tuple[Series, ...]:
    lines: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in group.drawn:
        lines[row["implementation"], row["device"] if family.axis.free else ""].append(row)
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
    family: _Family, name: str, rows: list[dict[str, Any]], look: Look, common: Mapping[str, str]
) -> Series:
    axis, quantity = family.axis, family.quantity
    rows = sorted(rows, key=lambda row: axis.size(parsed(row["problem"])))
    spread = quantity.name == "time" and any(row["sessions"] > 1 for row in rows)
    divisor = quantity.divisor
    return Series(
        name=name,
        x=tuple(axis.size(parsed(row["problem"])) for row in rows),
        y=tuple(
            row[quantity.column] if divisor == 1 else row[quantity.column] / divisor for row in rows
        ),
        low=tuple(row["low_ms"] for row in rows) if spread else (),
        high=tuple(row["high_ms"] for row in rows) if spread else (),
        hover=tuple(_hover(name, row) for row in rows),
        look=look,
        facets=tuple(_apart(row["problem"], common) for row in rows) if _varies(common) else (),
    )


def _varies(common: Mapping[str, str]) -> bool:
    """Whether the problems of a chart differ in something that a page is filtered by."""
    return len(common) < len(FACETS) - 1


def _apart(problem: str, common: Mapping[str, str]) -> dict[str, str]:
    """The facets of a problem that its chart does not have as a whole."""
    return {name: text for name, text in facets(problem).items() if name not in common}


def _hover(name: str, row: dict[str, Any]) -> str:
    peak, resident = words.mebibytes(row["peak_bytes"]), words.mebibytes(row["resident_bytes"])
    lines = (
        words.abbreviated(name),
        row["problem"],
        f"median {words.milliseconds(row['median_ms'])} ms",
        f"spread {words.spread(row['low_ms'], row['high_ms'])} ms",
        f"{words.counted(row['sessions'], 'session')}, {words.counted(row['samples'], 'sample')}",
        f"peak {peak} MiB above the inputs" if peak else "peak memory not recorded",
        f"of it kept from the first call {words.mebibytes(row['kept_bytes'])} MiB"
        if row["kept_bytes"]
        else "",
        f"resident {resident} MiB" if resident else "",
        f"kernel {words.abbreviated(row['operator'])}" if row["operator"] else "",
    )
    return "\n".join(line for line in lines if line)


def _absent(axis: Axis, group: Group) -> str:
    """Who is not drawn and why, with the sizes where that is not all of them."""
    sizes: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in group.lacking:
        status = words.UNREACHED if row["status"] == "ok" else row["status"]
        name = words.abbreviated(row["implementation"])
        sizes[name, words.STATUS_WORDS.get(status, status)].add(axis.size(parsed(row["problem"])))
    parts = [
        f"{name} ({status})"
        if found == set(group.sizes)
        else f"{name} ({status} at {', '.join(map(str, sorted(found)))})"
        for (name, status), found in sorted(sizes.items())
    ]
    return f"Not drawn: {', '.join(parts)}." if parts else ""


def _in_words(family: _Family, group: Group, series: tuple[Series, ...]) -> str:
    ends = (
        f"{words.abbreviated(each.name)} from {words.three_digits(each.y[0])} at {each.x[0]:g} "
        f"to {words.three_digits(each.y[-1])} at {each.x[-1]:g}"
        for each in series
    )
    where = ", ".join(part for part in (group.label, group.common) if part)
    return f"{family.title}, in {family.quantity.unit}; {where}: {'; '.join(ends)}."
