"""One chart for each step of a model: attention and the rest, a bar an implementation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.in_models import InModelRow
from reports.analysis.run_analysis import Analysis
from reports.rows.panels import MODELS
from reports.views.charts.chart import STACKED, Chart, Series
from reports.views.charts.palette import DARK, LIGHT, NEUTRAL, Look
from reports.views.commands import labels
from reports.views.in_models import HEADING, part, saved
from reports.views.model_titles import titles
from reports.views.numbers import milliseconds
from reports.views.problems import facets
from reports.views.text import abbreviated, counted

KEY: Final = "in_models"
MOST_ROWS: Final = 12
"""Bars of one chart; slower implementations are counted in its note."""
_LONGEST_NAME: Final = 28
"""Characters of a name beside its bar."""
_NOTE: Final = (
    "A bar is the median time of a step. Its first part is the share of attention, from steps with "
    "clocks at both ends of each attention call."
)
_ATTENTION: Final = Look(LIGHT[0], DARK[0], "square", "solid")
_REST: Final = Look(*NEUTRAL[1], "square", "solid")


def in_model_charts(analysis: Analysis, rows: Sequence[InModelRow]) -> list[Chart]:
    """The chart of each step with times of attention; of the most threads of the run."""
    steps: dict[Problem, list[InModelRow]] = {}
    for row in rows:
        if row.threads == analysis.most_threads and row.attention:
            steps.setdefault(row.problem, []).append(row)
    named = titles(steps)
    return [_chart(analysis, named[problem], own) for problem, own in steps.items()]


def _chart(analysis: Analysis, title: str, own: Sequence[InModelRow]) -> Chart:
    base, *others = own
    ordered = [base, *sorted(others, key=lambda row: row.measured.median_ms)]
    shown = ordered[:MOST_ROWS]
    return Chart(
        key=KEY,
        panel=MODELS,
        title="Attention and the rest of a model's step",
        label=title,
        common=", ".join(labels(analysis.plan)),
        mask="",
        x_title="ms per step",
        y_title="",
        log_x=False,
        log_y=False,
        series=tuple(_series(shown)),
        note=" ".join(_note(len(ordered) - len(shown))),
        alt=f"{HEADING}, {title}: {'; '.join(map(_said, shown))}.",
        facets=facets(base.problem),
        ticks=False,
        bars="",
        rows=tuple(f"{_name(row)}\n{_beside(row)}" for row in shown),
    )


def _series(shown: Sequence[InModelRow]) -> Iterator[Series]:
    for name, look in (("attention", _ATTENTION), ("the rest of the step", _REST)):
        parts_ms = [_part_ms(row, name) for row in shown]
        yield Series(
            name=name,
            x=tuple(parts_ms),
            y=tuple(range(len(shown))),
            low=(),
            high=(),
            hover=tuple(
                f"{_name(row)}\n{name}: {milliseconds(ms)} of {_ms(row)} ms"
                for row, ms in zip(shown, parts_ms, strict=True)
            ),
            look=look,
            drawn=STACKED,
        )


def _part_ms(row: InModelRow, name: str) -> float:
    """The milliseconds of attention, by its share of the step, or those of the rest."""
    share = row.attention.value if row.attention else 0.0
    return row.measured.median_ms * (share if name == "attention" else 1 - share)


def _note(left: int) -> Iterator[str]:
    yield _NOTE
    if left:
        yield f"{counted(left, 'slower implementation')} not drawn."


def _beside(row: InModelRow) -> str:
    """The second line beside a bar: the time of the step, and what it saves."""
    own = f", saved {saved(row)}" if row.judged and saved(row) else ""
    return f"{_ms(row)} ms{own}"


def _said(row: InModelRow) -> str:
    return f"{_name(row)} {_ms(row)} ms, {part(row.attention)} of it attention"


def _name(row: InModelRow) -> str:
    return abbreviated(row.implementation, _LONGEST_NAME)


def _ms(row: InModelRow) -> str:
    return milliseconds(row.measured.median_ms)
