"""The first screen of a page: title, faults, the answer with its figure, one line on the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.run_analysis import Analysis
from reports.views import across, headline, overview, steps
from reports.views.answer import Answer, answers
from reports.views.charts.chart import Map, Shown
from reports.views.charts.fastest_maps import maps
from reports.views.charts.ranking import rankings_charts
from reports.views.charts.steps import step_charts
from reports.views.headline import Fault
from reports.views.text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstScreen:
    """What a reader sees before scrolling.

    runs       the names of the runs
    faults     what is wrong, crashed or failed
    notice     that the run is incomplete; empty for a complete one
    cure       the command that finishes it
    figures    charts of one family: the first figure of the page
    key        the meaning of brackets and hatching
    answers    what to use, or what changed
    sentences  what else belongs to the answer
    preamble   machine, date, how much was timed, noise
    """

    runs: str
    title: str
    faults: tuple[Fault, ...]
    notice: str
    cure: str
    figures: tuple[Shown, ...]
    key: str
    answers: tuple[Answer, ...]
    sentences: tuple[str, ...]
    preamble: str


def of_run(analysis: Analysis) -> FirstScreen:
    """That of one run; without an answer it has the states of the implementations."""
    found = (*steps.answers(analysis), *answers(analysis))
    beside = across.sentences(analysis)
    figures = first_family(
        step_charts(analysis)
        or maps(analysis, analysis.rankings)
        or rankings_charts(analysis, analysis.rankings)
    )
    return FirstScreen(
        runs=analysis.run.name,
        title=headline.title(analysis),
        faults=tuple(headline.faults(analysis)),
        notice=overview.INTERRUPTED if analysis.unfinished else "",
        cure=f"python run_bench.py run --resume {analysis.run.name}" if analysis.unfinished else "",
        figures=figures,
        key=_key(analysis, figures) if found else "",
        answers=found,
        sentences=tuple(beside if found else [*overview.verdict(analysis), *beside]),
        preamble=headline.preamble(analysis),
    )


def first_family(drawn: Sequence[Shown]) -> tuple[Shown, ...]:
    """The charts with the key of the first one."""
    return tuple(chart for chart in drawn if chart.key == drawn[0].key)


def _key(analysis: Analysis, figures: Sequence[Shown]) -> str:
    """The meaning of brackets, and of hatched tiles or bars: [ ]: 95 % interval, ..."""
    sessions = overview.sessions_timed(analysis)
    if sessions < 2:
        return "One session: no intervals, so nothing is decided."
    brackets = f"[ ]: 95 % interval over {counted(sessions, 'session')}"
    if not figures or analysis.steps:
        return f"{brackets}."
    if isinstance(figures[0], Map):
        return f"{brackets}. Solid: beyond the noise of its problem; hatched, “?”: not decided."
    return f"{brackets}; one that contains 1 or is within the noise: not decided."
