"""Charts of time and parallel efficiency over threads, for the longest problem of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.analysis.efficiency import Lines, efficiencies, efficiency
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.views.cases import labelled, labels_of, place
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import Look
from reports.views.commands import labels
from reports.views.numbers import milliseconds, three_digits
from reports.views.panels import of_panel, prefix
from reports.views.problems import common_words, facets, shared_words, without
from reports.views.text import abbreviated, counted
from suites.records.plan import Plan

KEY: Final = "efficiency_vs_threads"
TIME_KEY: Final = "time_vs_threads"


@dataclass(frozen=True, slots=True)
class _Figure:
    """The figure that is drawn over threads.

    of    the figure for each number of threads
    bars  whether points are times, with their spread over sessions
    note  with {fewest}, the fewest threads
    """

    key: str
    title: str
    unit: str
    of: Callable[[Mapping[int, Measurement]], Iterable[float]]
    note: str
    bars: bool = False


_TIME: Final = _Figure(
    TIME_KEY,
    "Time",
    "ms",
    lambda own: (row.median_ms for row in own.values()),
    "A point is the median of the session medians; its bar goes from the smallest to the largest. "
    "Each number of threads was measured in sessions of its own.",
    bars=True,
)
_EFFICIENCY: Final = _Figure(
    KEY,
    "Parallel efficiency",
    "parallel efficiency",
    efficiency,
    "1 means that n times the threads take an nth of the time; below 1, a part of them is wasted. "
    "A point is t({fewest}) x {fewest} / (t(n) x n), of medians of session medians. Each number of "
    "threads was measured in sessions of its own, so no interval is drawn.",
)


def efficiency_charts(analysis: Analysis, style: Mapping[str, Look]) -> list[Chart]:
    """Charts of times and of efficiency for each of the longest problems.

    style  a look for each implementation

    None where the plan has one number of threads.
    """
    return [
        _chart(analysis.plan, figure, found.panel, problem, _series(figure, lines, style), shared)
        for found in efficiencies(analysis)
        for figure in (_TIME, _EFFICIENCY)
        for shared in [shared_words(found.lines)]
        for problem, lines in found.lines.items()
    ]


def _series(figure: _Figure, lines: Lines, style: Mapping[str, Look]) -> tuple[Series, ...]:
    return tuple(_line(figure, name, own, style[name]) for name, own in lines.items())


def _line(figure: _Figure, name: str, own: Mapping[int, Measurement], look: Look) -> Series:
    rows = own.values()
    return Series(
        name=name,
        x=tuple(own),
        y=tuple(figure.of(own)),
        low=tuple(row.low_ms for row in rows) if figure.bars else (),
        high=tuple(row.high_ms for row in rows) if figure.bars else (),
        hover=tuple(_hover(name, row) for row in own.values()),
        look=look,
        implementation=name,
    )


def _hover(name: str, row: Measurement) -> str:
    time = f"median {milliseconds(row.median_ms)} ms with {counted(row.threads, 'thread')}"
    return "\n".join((abbreviated(name), place(row), time))


def _chart(
    plan: Plan,
    figure: _Figure,
    panel: str,
    problem: Problem,
    series: Sequence[Series],
    shared: frozenset[str],
) -> Chart:
    title = f"{figure.title}{of_panel(panel)} against threads"
    label = labelled(problem, without(problem, shared), labels_of(plan))
    common = common_words(problem, shared)
    return Chart(
        key=f"{prefix(panel)}{figure.key}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common, *labels(plan, threads=False)])),
        mask=str(problem.mask),
        x_title="threads",
        y_title=figure.unit,
        log_x=figure.bars,
        log_y=figure.bars,
        series=tuple(series),
        note=figure.note.format(fewest=min(plan.threads)),
        alt=_alt(title, label, series),
        facets=facets(problem),
    )


def _alt(title: str, label: str, series: Iterable[Series]) -> str:
    """The chart in words."""
    ends = (
        f"{abbreviated(each.name)} {three_digits(each.y[-1])} with {each.x[-1]:g}"
        for each in series
    )
    return f"{title}; {label}: {'; '.join(ends)}."
