"""Charts of parallel efficiency, one for the longest problem of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def efficiency_charts(analysis: Analysis, style: Mapping[str, Look]) -> list[Chart]:
    """A chart for each of the longest problems; none where the plan has one number of threads.

    style  a look for each implementation
    """
    return [
        _chart(analysis.plan, found.panel, problem, _series(lines, style), shared)
        for found in efficiencies(analysis)
        for shared in [shared_words(found.lines)]
        for problem, lines in found.lines.items()
    ]


def _series(lines: Lines, style: Mapping[str, Look]) -> tuple[Series, ...]:
    return tuple(_line(name, own, style[name]) for name, own in lines.items())


def _line(name: str, own: Mapping[int, Measurement], look: Look) -> Series:
    return Series(
        name=name,
        x=tuple(own),
        y=tuple(efficiency(own)),
        low=(),
        high=(),
        hover=tuple(_hover(name, row) for row in own.values()),
        look=look,
        implementation=name,
    )


def _hover(name: str, row: Measurement) -> str:
    time = f"median {milliseconds(row.median_ms)} ms with {counted(row.threads, 'thread')}"
    return "\n".join((abbreviated(name), place(row), time))


def _chart(
    plan: Plan, panel: str, problem: Problem, series: Sequence[Series], shared: frozenset[str]
) -> Chart:
    title = f"Parallel efficiency{of_panel(panel)} against threads"
    label = labelled(problem, without(problem, shared), labels_of(plan))
    common = common_words(problem, shared)
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common, *labels(plan, threads=False)])),
        mask=str(problem.mask),
        x_title="threads",
        y_title="parallel efficiency",
        log_x=False,
        log_y=False,
        series=tuple(series),
        note=_note(min(plan.threads)),
        alt=_alt(title, label, series),
        facets=facets(problem),
    )


def _note(fewest: int) -> str:
    return (
        f"1 means that n times the threads take an nth of the time; below 1, a part of them is "
        f"wasted. A point is t({fewest}) x {fewest} / (t(n) x n), of medians of session medians. "
        "Each number of threads was measured in sessions of its own, so no interval is drawn."
    )


def _alt(title: str, label: str, series: Iterable[Series]) -> str:
    """The chart in words."""
    ends = (
        f"{abbreviated(each.name)} {three_digits(each.y[-1])} with {each.x[-1]:g}"
        for each in series
    )
    return f"{title}; {label}: {'; '.join(ends)}."
