"""What a page is made of besides its tables: first screen, charts and further sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.views import first_screen, overview, parts
from reports.views.charts.chart import Chart, Shown
from reports.views.charts.ranking import rankings_charts
from reports.views.charts.sizes import charts
from reports.views.first_screen import FirstScreen
from reports.views.sections import Section

MOST_ANALYSED: Final = 10_000
"""Measurements; with more the further parts are left out, because they take minutes."""

Drawn = list[Shown]


@dataclass(frozen=True, slots=True)
class Contents:
    """The charts and sections of a page; no chart is in two of them.

    charts    of the panels
    sections  that have anything to show
    """

    first: FirstScreen
    charts: list[Chart]
    sections: list[Section]

    @property
    def top(self) -> set[str]:
        """The keys of the charts of the first screen."""
        return {chart.key for chart in self.first.figures}

    @property
    def top_section(self) -> Section:
        """The charts of the first screen as a section."""
        return Section(id="first", heading=self.first.title, charts=self.first.figures)

    @property
    def in_panels(self) -> set[str]:
        """The keys of the charts of the panels."""
        return {chart.key for chart in self.charts}

    @property
    def drawn(self) -> Drawn:
        """All charts, in the order of the page."""
        return [*self.first.figures, *self.charts, *_charts_of(self.sections)]

    @property
    def printed(self) -> Drawn:
        """Those with a file of their own: without the sections that are opened on demand."""
        open_ones = [section for section in self.sections if not section.on_demand]
        return [*self.first.figures, *self.charts, *_charts_of(open_ones)]

    def keyed(self, prefix: str) -> Contents:
        """The same contents with a prefix before the key of every chart."""
        return Contents(
            first=replace(self.first, figures=_keyed(self.first.figures, prefix)),
            charts=[replace(chart, key=f"{prefix}{chart.key}") for chart in self.charts],
            sections=[replace(each, charts=_keyed(each.charts, prefix)) for each in self.sections],
        )


def _keyed(charts: Sequence[Shown], prefix: str) -> tuple[Shown, ...]:
    return tuple(replace(chart, key=f"{prefix}{chart.key}") for chart in charts)


def _charts_of(sections: Sequence[Section]) -> Iterator[Shown]:
    return (chart for section in sections for chart in section.charts)


def contents(
    analysis: Analysis, further: Sequence[Section], first: FirstScreen | None = None
) -> Contents:
    """Collect the contents of a page; a chart of the first screen is in no section."""
    first = first or first_screen.of_run(analysis)
    top = {chart.key for chart in first.figures}
    sections = [
        replace(section, charts=tuple(each for each in section.charts if each.key not in top))
        for section in sections_of(analysis, further)
    ]
    beside = [each for each in rankings_charts(analysis, analysis.rankings) if each.key not in top]
    return Contents(
        first=first,
        charts=[*beside, *charts(analysis)],
        sections=[each for each in sections if not each.is_empty],
    )


def sections_of(analysis: Analysis, further: Sequence[Section] = ()) -> list[Section]:
    """The further sections, the parts of the page unless the run is too large, and the counts."""
    own = [] if is_large(analysis) else parts.sections(analysis)
    return [*further, *own, overview.section(analysis)]


def is_large(analysis: Analysis) -> bool:
    """Whether the run has too many measurements for the further parts."""
    return len(analysis.measurements) > MOST_ANALYSED
