"""Charts of local exponents over the length, one for each family of problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reports.analysis.growth.exponents import Exponent
from reports.analysis.growth.growth import Growth, by_family
from reports.analysis.growth.series import Family
from reports.rows.families import LENGTH
from reports.views import families
from reports.views.charts.chart import Chart, Series
from reports.views.charts.clipping import clipped
from reports.views.charts.palette import NEUTRAL, Look, looks_of
from reports.views.commands import labels
from reports.views.growth_tables import no_interval
from reports.views.panels import of_panel, prefix
from reports.views.problems import common_facets
from reports.views.text import abbreviated, counted
from suites.records.plan import Plan

KEY: Final = "exponents_vs_length"
_BARS: Final = "points: local exponents; bars: their 95 % intervals over the sessions"
_LOOKS: Final = (Look(*NEUTRAL[0], "circle", "dash"), Look(*NEUTRAL[1], "circle", "dot"))
_REFERENCES: Final = (("linear", 1.0), ("quadratic", 2.0))
_NOTE: Final = (
    "A point is log(t2 / t1) / log(T2 / T1) between a length and the next shorter one that was "
    "measured, drawn at the longer of the two; its bar is the 95 % interval over the sessions that "
    "measured both. The grey lines are linear growth, 1, and quadratic growth, 2."
)


def exponent_charts(plan: Plan, found: Iterable[Growth]) -> tuple[Chart, ...]:
    """One for each family with an implementation timed at three lengths or more."""
    style = looks_of(plan)
    return tuple(
        clipped(_chart(plan, family, own, style))
        for family, own in by_family(found)
        if any(len(each.exponents) > 1 for each in own)
    )


def _chart(plan: Plan, family: Family, own: Sequence[Growth], style: Mapping[str, Look]) -> Chart:
    drawn = [_line(each, style[each.series.implementation]) for each in own if each.exponents]
    lengths = [x for each in drawn for x in each.x]
    title = f"How fast time{of_panel(family.panel)} grows with the length"
    group = family.group
    return Chart(
        key=f"{prefix(family.panel)}{KEY}",
        panel=family.panel,
        title=title,
        label=families.label(group),
        common=", ".join(filter(None, (families.common(group), *labels(plan)))),
        mask=families.mask(group),
        x_title=families.axis_label(LENGTH),
        y_title="local exponent",
        log_x=True,
        log_y=False,
        series=(*drawn, *_references(min(lengths), max(lengths))),
        note=" ".join((_NOTE, *_without_interval(drawn))),
        alt=_alt(title, families.where(group), drawn),
        facets=common_facets(family.problems),
        bars=_BARS,
    )


def _line(growth: Growth, look: Look) -> Series:
    found, name = growth.exponents, growth.series.implementation
    some = any(each.low is not None for each in found)
    return Series(
        name=name,
        x=tuple(each.longer for each in found),
        y=tuple(each.value for each in found),
        low=tuple(_end(each.low, each) for each in found) if some else (),
        high=tuple(_end(each.high, each) for each in found) if some else (),
        hover=tuple(_hover(name, each) for each in found),
        look=look,
        implementation=name,
    )


def _end(end: float | None, exponent: Exponent) -> float:
    """The end of a bar; a point without an interval has a bar of no height."""
    return exponent.value if end is None else end


def _hover(name: str, exponent: Exponent) -> str:
    sessions = counted(exponent.sessions, "session")
    return "\n".join(
        (
            abbreviated(name),
            f"from {exponent.shorter} to {exponent.longer}",
            f"exponent {exponent}",
            no_interval(exponent) or f"95 % interval over {sessions}",
        )
    )


def _references(first: float, last: float) -> list[Series]:
    return [
        Series(
            name=name,
            x=(first, last),
            y=(exponent, exponent),
            low=(),
            high=(),
            hover=(name, name),
            look=look,
            drawn="bare",
        )
        for (name, exponent), look in zip(_REFERENCES, _LOOKS, strict=True)
    ]


def _without_interval(drawn: Iterable[Series]) -> list[str]:
    names = [abbreviated(each.name) for each in drawn if not each.low]
    return [f"Without an interval: {', '.join(names)}."] if names else []


def _alt(title: str, where: str, drawn: Iterable[Series]) -> str:
    """The chart in words."""
    ends = (
        f"{abbreviated(each.name)} from {each.y[0]:.2f} at {each.x[0]:g} "
        f"to {each.y[-1]:.2f} at {each.x[-1]:g}"
        for each in drawn
    )
    return f"{title}, local exponents; {where}: {'; '.join(ends)}."
