"""Samples: strips by session, and rounds over time, drawn when they are opened."""

from __future__ import annotations

from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.shown_samples import Shown, shown
from reports.views.charts.palette import looks_of
from reports.views.charts.samples import rounds, strips
from reports.views.problems import shared_words
from reports.views.sections import Section

ORDER: Final = 6
HEADING: Final = "Samples"


def section(analysis: Analysis) -> Section | None:
    """Both charts of each problem; None without times above 0."""
    found = shown(analysis.plan, analysis.timed)
    style = looks_of(analysis.plan)
    shared = shared_words(dict.fromkeys(group.problem for group in found.groups))
    made = [
        make(analysis.plan, group, found.step, style, shared)
        for make in (strips, rounds)
        for group in found.groups
    ]
    charts = tuple(chart for chart in made if chart is not None)
    if not charts:
        return None
    return Section(
        id="samples",
        heading=HEADING,
        sentences=(_scope(found),),
        charts=charts,
        on_demand="Show the samples",
    )


def _scope(found: Shown) -> str:
    """Which samples are shown, and which are left out."""
    count = len({group.problem for group in found.groups})
    problems = (
        f"the {count} largest of {found.problems} problems"
        if count < found.problems
        else "every problem"
    )
    which = "every round" if found.step == 1 else f"one round in {found.step}"
    left = "" if found.step == 1 else "; exports have all of them"
    return f"The samples of {problems}, {which}, disturbed ones included{left}."
