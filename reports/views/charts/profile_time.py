"""The chart of a profile's time: a bar for each implementation and problem, stacked by category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports.analysis.profile.operators import IDLE, Operators
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import NEUTRAL, Look, look_of_kind
from reports.views.numbers import milliseconds, percent
from reports.views.problems import shared_words, without
from reports.views.text import abbreviated
from suites.records.operator_kinds import KINDS

_LONGEST_NAME: Final = 28
"""Characters of a name beside its bar."""
_NOTE: Final = (
    "A bar is as long as the measured time of a call without the profiler. Its parts have the "
    "shares of the profiled call."
)


def chart(every: Sequence[Operators]) -> Chart:
    """The chart; categories are in one order, and each has one colour on every page."""
    names = [_name(each, every) for each in every]
    took = [each.measured_ms for each in every]
    return Chart(
        key="profile_time",
        panel="attention",
        title="Time by kind of operator",
        label="",
        common="",
        mask="",
        x_title="ms per call",
        y_title="",
        log_x=False,
        log_y=False,
        series=tuple(
            _stack(category, every)
            for category in (*KINDS, IDLE)
            if any(share_of(each, category) for each in every)
        ),
        note=_NOTE,
        alt="; ".join(_said(name, each) for name, each in zip(names, every, strict=True)),
        ticks=False,
        bars="",
        rows=tuple(f"{name}\n{milliseconds(ms)} ms" for name, ms in zip(names, took, strict=True)),
    )


def _stack(category: str, every: Sequence[Operators]) -> Series:
    shares = [share_of(each, category) for each in every]
    return Series(
        name=category,
        x=tuple(share * each.measured_ms for share, each in zip(shares, every, strict=True)),
        y=tuple(range(len(every))),
        low=(),
        high=(),
        hover=tuple(
            f"{category}\n{percent(share)} of a call of {abbreviated(each.profile.implementation)}"
            for share, each in zip(shares, every, strict=True)
        ),
        look=look_of_category(category),
        drawn="stacked",
    )


def look_of_category(category: str) -> Look:
    """The look of a kind of operators, or of the time in which a device is idle."""
    if category in KINDS:
        return look_of_kind(category)
    return Look(*NEUTRAL[0], "square", "solid")


def share_of(found: Operators, category: str) -> float:
    """The share of a category of the call."""
    return next((row.share for row in found.by_category if row.name == category), 0.0)


def _name(found: Operators, every: Sequence[Operators]) -> str:
    """The implementation, with the words of its problem that set it apart from others."""
    name = abbreviated(found.profile.implementation, _LONGEST_NAME)
    problems = {each.profile.problem for each in every}
    if len(problems) == 1:
        return name
    return f"{name}, {without(found.profile.problem, shared_words(problems))}"


def _said(name: str, found: Operators) -> str:
    parts = ", ".join(f"{row.name} {percent(row.share)}" for row in found.by_category)
    return f"{name}: {parts}"
