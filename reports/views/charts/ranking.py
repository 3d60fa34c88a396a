"""Charts of one problem: its implementations from the fastest to the slowest, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking, Rival, rankings
from reports.analysis.ranking.ratios import Place
from reports.analysis.run_analysis import Analysis
from reports.rows.panels import panels_of
from reports.views.cases import joined, labelled, labels_of
from reports.views.charts.chart import Chart, Series
from reports.views.charts.clipping import clipped
from reports.views.charts.palette import NEUTRAL, Look, looks_of
from reports.views.commands import labels
from reports.views.kernels import label
from reports.views.numbers import milliseconds, times, times_of
from reports.views.panels import of_panel, prefix
from reports.views.problems import common_words, facets, shared_words, without
from reports.views.text import abbreviated, counted
from suites.records.plan import Plan

KEY: Final = "ranking"
MOST_PROBLEMS: Final = 3
"""A run with more problems has charts over sizes instead."""
MOST_ROWS: Final = 24
"""Implementations of one chart; slower ones are counted in its note."""
_LONGEST_NAME: Final = 28
"""Characters of a name beside its point."""
_WIDE: Final = 4.0
"""The largest ratio on a linear axis: with a larger one the fastest would share one place."""
_BARS: Final = "points: ratios of times; bars: their 95 % intervals over the sessions"
_LOOK: Final = Look(*NEUTRAL[1], "circle", "dash")


def rankings_charts(
    analysis: Analysis, ranked: Mapping[Place, Ranking] | None = None
) -> list[Chart]:
    """A chart for each panel and problem of a run with few problems, if two or more have times.

    With several numbers of threads, of the times with the most.
    """
    if len(analysis.plan.problems) > MOST_PROBLEMS:
        return []
    found = rankings(analysis) if ranked is None else ranked
    style = looks_of(analysis.plan)
    shared = shared_words(analysis.plan.problems)
    return [
        clipped(_chart(analysis.plan, panel, problem, each, shared, style))
        for panel in panels_of(analysis.plan)
        for (problem, threads, own), each in found.items()
        if own == panel and threads == analysis.most_threads and (each.rivals or each.same)
    ]


def _chart(
    plan: Plan,
    panel: str,
    problem: Problem,
    found: Ranking,
    shared: frozenset[str],
    style: Mapping[str, Look],
) -> Chart:
    every = (*found.rivals, *found.same)
    rivals = sorted(every, key=lambda each: _shown(each, found))[: MOST_ROWS - 1]
    points = [_first(found, problem, style[found.name])]
    points += [
        _rival(each, found, row, problem, style[each.name]) for row, each in enumerate(rivals, 1)
    ]
    named = labels_of(plan)
    label = labelled(problem, without(problem, shared), named) if shared else joined(problem, named)
    common = common_words(problem, shared) if shared else str(problem)
    title = f"Time{of_panel(panel)} relative to the fastest"
    return Chart(
        key=f"{prefix(panel)}{KEY}",
        panel=panel,
        title=title,
        label=label,
        common=", ".join(filter(None, [common, *labels(plan)])),
        mask=str(problem.mask),
        x_title=f"times the time of {abbreviated(found.name, _LONGEST_NAME)}",
        y_title="",
        log_x=max(each.x[0] for each in points) > _WIDE,
        log_y=False,
        series=(_equal(len(points)), *points),
        note=" ".join(_note(found)),
        alt=_alt(title, str(problem), found, rivals),
        facets=facets(problem),
        ticks=False,
        bars=_BARS,
        rows=(_row(found.name, "the fastest", found.median_ms), *map(_beside, rivals)),
    )


def _first(found: Ranking, problem: Problem, look: Look) -> Series:
    sessions = counted(found.sessions, "session")
    lines = (str(problem), f"median {milliseconds(found.median_ms)} ms, {sessions}")
    return _point(found.name, 1.0, 0, None, lines, look)


def _rival(rival: Rival, found: Ranking, row: int, problem: Problem, look: Look) -> Series:
    time = f"median {milliseconds(rival.median_ms)} ms"
    lines = (str(problem), f"{_ratio_words(rival)}, {time}")
    ends = (rival.interval.low, rival.interval.high) if rival.interval else None
    return _point(rival.name, _shown(rival, found), row, ends, lines, look)


def _shown(rival: Rival, found: Ranking) -> float:
    """The ratio that is drawn: of the medians where no session timed both."""
    return rival.median_ms / found.median_ms if rival.ratio is None else rival.ratio


def _point(
    name: str,
    x: float,
    row: int,
    ends: tuple[float, float] | None,
    lines: Iterable[str],
    look: Look,
) -> Series:
    return Series(
        name=name,
        x=(x,),
        y=(row,),
        low=ends[:1] if ends else (),
        high=ends[1:] if ends else (),
        hover=("\n".join((abbreviated(name), *lines)),),
        look=look,
        implementation=name,
        drawn="points",
    )


def _equal(rows: int) -> Series:
    """The line of equal times, over all rows."""
    ends = (-0.5, rows - 0.5)
    return Series(
        name="equal", x=(1.0, 1.0), y=ends, low=(), high=(), hover=("", ""), look=_LOOK,
        drawn="bare",
    )  # fmt: skip


def _row(name: str, words: str, median_ms: float) -> str:
    """Two lines beside a point: the name, and its figures."""
    return f"{abbreviated(name, _LONGEST_NAME)}\n{words}, {milliseconds(median_ms)} ms"


def _beside(rival: Rival) -> str:
    return _row(rival.name, _ratio_words(rival), rival.median_ms)


def _ratio_words(rival: Rival) -> str:
    """The ratio with its interval: 1.66x [1.26, 2.17]; after it, the same kernel."""
    return ", ".join(filter(None, (_ratio_alone(rival), label(rival.same_as))))


def _ratio_alone(rival: Rival) -> str:
    if rival.ratio is None:
        return "in other sessions"
    if rival.interval is None:
        return times(rival.ratio)
    said = times_of(rival.ratio, rival.interval.low, rival.interval.high, "")
    return said.replace("  ", " ")


def _note(found: Ranking) -> Iterator[str]:
    yield (
        f"A point is the ratio of a time to that of {abbreviated(found.name)}, paired within "
        "sessions; its bar is the 95 % interval over sessions. A bar that crosses 1 shows no "
        "difference."
    )
    if found.sessions < 2:
        yield "With one session there is no interval."
    every = (*found.rivals, *found.same)
    apart = [abbreviated(each.name) for each in every if each.ratio is None]
    if apart:
        yield f"Ratios of medians, measured in other sessions: {', '.join(apart)}."
    if found.not_reached:
        yield f"Not reached, may be faster: {', '.join(map(abbreviated, found.not_reached))}."
    if len(every) >= MOST_ROWS:
        yield f"{counted(len(every) - MOST_ROWS + 1, 'slower one')} not drawn."


def _alt(title: str, problem: str, found: Ranking, rivals: Sequence[Rival]) -> str:
    """The chart in words."""
    said = (f"{abbreviated(each.name)} {_ratio_words(each)}" for each in rivals)
    return f"{title}; {problem}: {abbreviated(found.name)} is the fastest; {'; '.join(said)}."
