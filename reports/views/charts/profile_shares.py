"""Charts of a profile over lengths: for each implementation a bar a length, of shares by kind."""

from __future__ import annotations

from typing import Final

from reports.analysis.profile.operators import IDLE
from reports.analysis.profile.scaling import Scaling
from reports.rows.panels import ATTENTION
from reports.views.charts.chart import STACKED, Chart, Series
from reports.views.charts.profile_time import look_of_category, share_of
from reports.views.numbers import milliseconds, percent
from reports.views.text import abbreviated
from suites.records.operator_kinds import KINDS

KEY: Final = "profile_shares"
_NOTE: Final = (
    "A bar is one profiled call; its parts are the shares of kinds of operators. A part that grows "
    "towards longer sequences grows faster than the call."
)


def shares_chart(found: Scaling) -> Chart:
    """The chart of one implementation."""
    names = [
        category
        for category in (*KINDS, IDLE)
        if any(share_of(each, category) for each in found.every)
    ]
    rows = tuple(
        f"T {length}\n{milliseconds(each.measured_ms)} ms"
        for length, each in zip(found.lengths, found.every, strict=True)
    )
    return Chart(
        key=KEY,
        panel=ATTENTION,
        title="Shares of the call by length",
        label=abbreviated(found.implementation),
        common="",
        mask="",
        x_title="% of the call",
        y_title="",
        log_x=False,
        log_y=False,
        series=tuple(_series(found, category) for category in names),
        note=_NOTE,
        alt=_alt(found, names),
        ticks=False,
        bars="bars: shares of one profiled call; beside them the length and the measured time",
        rows=rows,
    )


def _series(found: Scaling, category: str) -> Series:
    shares = [share_of(each, category) for each in found.every]
    return Series(
        name=category,
        x=tuple(100 * share for share in shares),
        y=tuple(range(len(shares))),
        low=(),
        high=(),
        hover=tuple(
            f"{category}\n{percent(share)} of the call at T {length}\n"
            f"{milliseconds(share * each.call_ns / 1e6)} ms profiled"
            for share, length, each in zip(shares, found.lengths, found.every, strict=True)
        ),
        look=look_of_category(category),
        drawn=STACKED,
    )


def _alt(found: Scaling, names: list[str]) -> str:
    """The chart in words."""
    ends = (
        f"{name} {percent(share_of(found.every[0], name))} at T {found.lengths[0]}, "
        f"{percent(share_of(found.every[-1], name))} at T {found.lengths[-1]}"
        for name in names
    )
    return f"{abbreviated(found.implementation)}: {'; '.join(ends)}."
