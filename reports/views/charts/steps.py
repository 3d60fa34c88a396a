"""One chart for each step: bars of implementations, stacked by case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.rows import StepRow, StepSum
from reports.rows.panels import ATTENTION
from reports.views.cases import calls
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import DARK, FIRST, LIGHT, NEUTRAL, Look
from reports.views.commands import labels
from reports.views.numbers import milliseconds
from reports.views.panels import prefix, slug
from reports.views.problems import shared_words
from reports.views.steps import HEADING, estimate
from reports.views.text import abbreviated, counted

MOST_ROWS: Final = 12
"""Bars of one chart; slower implementations are counted in its note."""
MOST_STACKS: Final = FIRST
"""Cases with a colour of their own; smaller ones are one stack."""
_LONGEST_NAME: Final = 28
"""Characters of a name beside its bar."""
_BARS: Final = "bars: sums of count times time over the cases; lines at their ends: 95 % intervals"
_TOTAL: Final = Look(*NEUTRAL[0], "diamond-tall", "solid")
_OTHERS: Final = Look(*NEUTRAL[1], "square", "solid")

Bar = tuple[str, StepSum]
"""The name beside a bar, and its sum."""


def step_charts(analysis: Analysis) -> list[Chart]:
    """The chart of each step with a sum; with several numbers of threads, of the most."""
    rows = [row for row in analysis.steps if row.threads == analysis.most_threads]
    return [_chart(analysis, row, number) for number, row in enumerate(rows, 1) if row.now]


def bars(row: StepRow) -> list[Bar]:
    """The bars from the top: now, the best mix, then each implementation alone."""
    found: list[Bar] = []
    if row.now:
        name = row.now.name
        found.append((f"now: {abbreviated(name, _LONGEST_NAME)}" if name else "now", row.now))
    if row.mix and not row.mix.name:
        found.append(("best mix", row.mix))
    now = row.now.name if row.now else ""
    alone = [(abbreviated(s.name, _LONGEST_NAME), s) for s in row.alone if s.name != now]
    return [*found, *alone]


def _chart(analysis: Analysis, row: StepRow, number: int) -> Chart:
    every = bars(row)
    shown = every[:MOST_ROWS]
    panel = "" if row.panel == ATTENTION else prefix(row.panel)
    return Chart(
        key=f"{panel}step_{number}_{slug(row.step)}",
        panel=row.panel,
        title=f"{HEADING}: {abbreviated(row.step)}",
        label="",
        common=", ".join(labels(analysis.plan)),
        mask="",
        x_title="ms per step",
        y_title="",
        log_x=False,
        log_y=False,
        series=(*_stacks(row, shown), _total(shown)),
        note=" ".join(_note(row, len(every) - len(shown))),
        alt=_alt(row, shown),
        ticks=False,
        bars=_BARS,
        rows=tuple(f"{name}\n{estimate(found.time)}" for name, found in shown),
    )


def _stacks(row: StepRow, shown: Sequence[Bar]) -> Iterator[Series]:
    """A series for each of the largest cases, and one for all others."""
    sizes = shown[0][1].by_case
    order = sorted(range(len(row.cases)), key=lambda place: -sizes[place])
    most = len(order) if len(order) <= MOST_STACKS else MOST_STACKS - 1
    shared = shared_words({each.case.problem for each in row.cases})
    for colour, place in enumerate(order[:most]):
        case = row.cases[place].case
        look = Look(LIGHT[colour], DARK[colour], "square", "solid")
        yield _stack(calls(case, shared), str(case.problem), [place], shown, look)
    if rest := order[most:]:
        yield _stack(f"{len(rest)} other cases", "", rest, shown, _OTHERS)


def _stack(
    name: str, problem: str, places: Sequence[int], shown: Sequence[Bar], look: Look
) -> Series:
    sizes = [sum(found.by_case[place] for place in places) for _, found in shown]
    by = [{found.names[place] for place in places} for _, found in shown]
    return Series(
        name=name,
        x=tuple(sizes),
        y=tuple(range(len(shown))),
        low=(),
        high=(),
        hover=tuple(
            "\n".join(
                filter(
                    None,
                    (
                        name,
                        problem,
                        f"{milliseconds(size)} of {milliseconds(found.time.value)} ms per step",
                        f"by {abbreviated(next(iter(own)))}" if len(own) == 1 else "",
                    ),
                )
            )
            for size, own, (_, found) in zip(sizes, by, shown, strict=True)
        ),
        look=look,
        drawn="stacked",
    )


def _total(shown: Sequence[Bar]) -> Series:
    """The sums with their intervals, at the ends of the bars."""
    times = [found.time for _, found in shown]
    known = all(each.low is not None for each in times)
    return Series(
        name="sum",
        x=tuple(each.value for each in times),
        y=tuple(range(len(shown))),
        low=tuple(each.low or 0.0 for each in times) if known else (),
        high=tuple(each.high or 0.0 for each in times) if known else (),
        hover=tuple(f"{name}\n{estimate(found.time)} per step" for name, found in shown),
        look=_TOTAL,
        drawn="points",
    )


def _note(row: StepRow, left: int) -> Iterator[str]:
    yield (
        "A bar is the time of all calls of attention in one step; its parts are cases, each with "
        "its calls. The line at its end is the 95 % interval of the sum over sessions."
    )
    if row.mix and not row.mix.name:
        yield "The mix is chosen in some sessions and timed in the others."
    if left:
        yield f"{counted(left, 'slower implementation')} not drawn."


def _alt(row: StepRow, shown: Sequence[Bar]) -> str:
    """The chart in words."""
    said = (f"{name} {estimate(found.time)}" for name, found in shown)
    return f"{HEADING}, {row.step}: {'; '.join(said)}."
