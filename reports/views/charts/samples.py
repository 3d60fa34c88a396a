"""Charts of samples: ratios by session as strips, and times round by round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from reports.analysis.shown_samples import (
    Group,
    Points,
    disturbed,
    first_rounds,
    over_median,
    ratios,
)
from reports.rows.panels import MODELS
from reports.views.cases import labelled, labels_of
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import NEUTRAL, Look
from reports.views.commands import labels
from reports.views.panels import of_panel
from reports.views.problems import common_words, facets, without
from reports.views.text import abbreviated, counted
from suites.records.plan import Plan

STRIPS: Final = "samples_by_session"
ROUNDS: Final = "rounds_over_time"
"""Keys of the two families."""
_STRIP: Final = 0.8
"""Part of the room of a session that its strips take."""
_BELOW: Final = 0.85
"""Disturbed rounds are marked at this multiple of the smallest figure."""
_DISTURBED: Final = Look(*NEUTRAL[1], "line-ns-open", "solid")

Drawn = list[tuple[str, list[tuple[int, Points]]]]
"""By implementation: the points of each session."""


def strips(
    plan: Plan, group: Group, step: int, style: Mapping[str, Look], shared: frozenset[str]
) -> Chart | None:
    """The ratio of every round, session by session; None without a pair in the same rounds."""
    found = _with_points({name: ratios(group, name, step) for name in group.records})
    sessions = sorted({session for _, own in found for session, _ in own})
    series = tuple(
        _strip(name, own, style[name], place, len(found)) for place, (name, own) in enumerate(found)
    )
    if not series:
        return None
    base = abbreviated(group.baseline)
    return _chart(
        plan,
        group,
        shared,
        key=STRIPS,
        title="Samples by session",
        x_title="session",
        y_title=f"time over that of {base}",
        series=series,
        sizes=sessions,
        note=f"A point is one sample: its time over that of {base} in the same round. The points "
        f"of {base} are of its twin, which is identical code. Within a session, time runs from "
        f"left to right.",
    )


def rounds(
    plan: Plan, group: Group, step: int, style: Mapping[str, Look], shared: frozenset[str]
) -> Chart | None:
    """The time of every sample over the median, round by round; None without one above 0."""
    found = _with_points({name: over_median(group, name, step) for name in group.records})
    before = first_rounds(group)
    series = [_line(name, own, style[name], before) for name, own in found]
    if not series:
        return None
    lowest = min(chain.from_iterable(each.y for each in series))
    marks = [before[session] + n + 1 for session, own in disturbed(group, step) for n in own]
    if marks:
        series.append(_marks(marks, lowest * _BELOW))
    return _chart(
        plan,
        group,
        shared,
        key=ROUNDS,
        title="Rounds over time",
        x_title="round; marked: the first of each session",
        y_title="time over the median",
        series=series,
        sizes=[first + 1 for first in before.values()],
        note="A point is one sample: its time over the median of all samples of its "
        "implementation. A drift shows as a slope, and a difference between processes as a step "
        f"at a session. {_of_marks(marks)}",
    )


def _of_marks(marks: Sequence[int]) -> str:
    if not marks:
        return "No round shown was disturbed."
    return f"Strokes below the points mark disturbed rounds, {len(marks)} of those shown."


def _with_points(found: Mapping[str, Iterator[tuple[int, Points]]]) -> Drawn:
    """The implementations and sessions with points."""
    drawn = [(name, [(at, own) for at, own in each if own]) for name, each in found.items()]
    return [(name, own) for name, own in drawn if own]


def _strip(
    name: str, own: Sequence[tuple[int, Points]], look: Look, place: int, count: int
) -> Series:
    """The strips of one implementation, side by side with those of the others."""
    wide = _STRIP / count
    x, y = [], []
    for session, points in own:
        left = session - _STRIP / 2 + place * wide
        longest = max(n for n, _ in points) + 1
        x += [left + 0.9 * wide * (n + 0.5) / longest for n, _ in points]
        y += [figure for _, figure in points]
    return _samples(name, x, y, look)


def _line(
    name: str, own: Sequence[tuple[int, Points]], look: Look, before: Mapping[int, int]
) -> Series:
    points = [(before[session] + n + 1, y) for session, found in own for n, y in found]
    return _samples(name, [x for x, _ in points], [y for _, y in points], look)


def _samples(name: str, x: Sequence[float], y: Sequence[float], look: Look) -> Series:
    """Points of one implementation, to four digits: there are thousands of them on a page."""
    return Series(
        name=name,
        x=tuple(each if isinstance(each, int) else round(each, 3) for each in x),
        y=tuple(float(f"{each:.4g}") for each in y),
        low=(),
        high=(),
        hover=(),
        look=look,
        implementation=name,
        drawn="samples",
    )


def _marks(x: Sequence[int], y: float) -> Series:
    """Strokes below the points, of no implementation."""
    return Series(
        name="disturbed round",
        x=tuple(x),
        y=(y,) * len(x),
        low=(),
        high=(),
        hover=(),
        look=_DISTURBED,
        drawn="samples",
    )


def _chart(  # noqa: PLR0913 - the texts of a chart, all of them keywords
    plan: Plan,
    group: Group,
    shared: frozenset[str],
    *,
    key: str,
    title: str,
    x_title: str,
    y_title: str,
    series: Sequence[Series],
    sizes: Sequence[float],
    note: str,
) -> Chart:
    problem = labelled(group.problem, without(group.problem, shared), labels_of(plan))
    label = problem + (of_panel(group.panel) if group.panel != MODELS else "")
    samples = sum(len(each.x) for each in series if each.implementation)
    names = ", ".join(abbreviated(each.name) for each in series)
    return Chart(
        key=key,
        panel=group.panel,
        title=title,
        label=label,
        common=", ".join(filter(None, (common_words(group.problem, shared), *labels(plan)))),
        mask=str(group.problem.mask),
        x_title=x_title,
        y_title=y_title,
        log_x=False,
        log_y=True,
        series=tuple(series),
        note=note,
        alt=f"{title} on {label}: {counted(samples, 'sample')} of {names}.",
        facets=facets(group.problem),
        sizes=tuple(sizes),
    )
