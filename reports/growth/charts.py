"""Local exponents over the length: a chart for each family of problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reports import words
from reports.drawing.palette import NOBODY, Look, looks
from reports.drawing.series import Chart, Series
from reports.growth.exponents import Exponent
from reports.growth.lines import LENGTH, Family
from reports.growth.told import Growth, by_family
from reports.panels import ATTENTION, prefix, subject
from reports.sections import common_facets, facets
from suites.records.plan import Plan

KEY: Final = "exponents_vs_length"
_BARS: Final = "points: local exponents; bars: their 95 % intervals over the sessions"
_LOOKS: Final = (Look(*NOBODY[0], "circle", "dash"), Look(*NOBODY[1], "circle", "dot"))
_REFERENCES: Final = (("in proportion to the length", 1.0), ("with its square", 2.0))
_NOTE: Final = (
    "A point is log(t2 / t1) / log(T2 / T1) between a length and the next shorter one that was "
    "measured, drawn at the longer of the two; its bar is the 95 % interval over the sessions that "
    "measured both. The grey lines are growth in proportion to the length, 1, and with its "
    "square, 2."
)


def exponent_charts(plan: Plan, told: Iterable[Growth]) -> tuple[Chart, ...]:
    """One for each family in which someone has times at three lengths or more."""
    style = looks(entry.name for entry in plan.entries)
    return tuple(
        _chart(plan, family, lines, style)
        for family, lines in by_family(told)
        if any(len(each.exponents) > 1 for each in lines)
    )


def _chart(plan: Plan, family: Family, lines: Sequence[Growth], style: Mapping[str, Look]) -> Chart:
    drawn = [_line(each, style[each.line.implementation]) for each in lines if each.exponents]
    lengths = [x for each in drawn for x in each.x]
    whose = "" if family.panel == ATTENTION else f" of {subject(family.panel)}"
    title = f"How fast time{whose} grows with the length"
    return Chart(
        key=f"{prefix(family.panel)}{KEY}",
        panel=family.panel,
        title=title,
        label=family.label,
        common=", ".join(part for part in (family.common, *words.labels(plan)) if part),
        mask=family.mask,
        x_title=LENGTH.label,
        y_title="local exponent",
        log_x=True,
        log_y=False,
        series=(*drawn, *_references(min(lengths), max(lengths))),
        note=" ".join((_NOTE, *_without(drawn))),
        alt=_in_words(title, family, drawn),
        facets=common_facets(facets(problem) for problem in family.problems),
        bars=_BARS,
    )


def _line(told: Growth, look: Look) -> Series:
    found, name = told.exponents, told.line.implementation
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
    """A point without an interval has a bar of no height."""
    return exponent.value if end is None else end


def _hover(name: str, exponent: Exponent) -> str:
    sessions = words.counted(exponent.sessions, "session")
    return "\n".join(
        (
            words.abbreviated(name),
            f"from {exponent.shorter} to {exponent.longer}",
            f"exponent {exponent}",
            exponent.why or f"95 % interval over {sessions}",
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


def _without(drawn: Iterable[Series]) -> list[str]:
    names = [words.abbreviated(each.name) for each in drawn if not each.low]
    return [f"Without an interval: {', '.join(names)}."] if names else []


def _in_words(title: str, family: Family, drawn: Iterable[Series]) -> str:
    ends = (
        f"{words.abbreviated(each.name)} from {each.y[0]:.2f} at {each.x[0]:g} "
        f"to {each.y[-1]:.2f} at {each.x[-1]:g}"
        for each in drawn
    )
    return f"{title}, local exponents; {family.where}: {'; '.join(ends)}."
