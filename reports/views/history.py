"""The section on the history of several runs: charts over the runs, times, changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from impls.interface import Problem
from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.history import History, Place, Points, series
from reports.rows.measurements import Measurement
from reports.views import comparison, differences
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import Look, looks_of
from reports.views.comparison import row_reason
from reports.views.numbers import milliseconds, ratio_in, spread
from reports.views.panels import prefix, subject
from reports.views.problems import common_words, facets, shared_words, without
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import counted, moment

HEADING: Final = "Over the runs"
NOT_JUDGED: Final = (
    "Runs were measured at different times: a change is how an implementation's ratio to a "
    "baseline of both runs differs; milliseconds are shown, not judged."
)
_CHANGES: Final = (
    "problem", "implementation", "threads", "run", "ratio", "verdict", "reason", "ms", "after",
    "its ms",
)  # fmt: skip

Panel = tuple[str, Problem, int]
"""What one chart is of: a panel, a problem, and the threads."""
Lines = dict[str, Points]
"""The measurements of each implementation, by the position of their run."""


def section(found: History) -> Section:
    """The history as a part of a page: a chart for each problem, the times, and the changes."""
    said = [
        numbered(found),
        NOT_JUDGED,
        *(
            f"{each.new} after {each.base}: {comparison.sentences(each)[0]}"
            for each in found.changes
        ),
        *_no_chart(_single(_panels(found)).total()),
    ]
    unlike = [text for each in found.changes for text in differences.sentences(each)]
    if unlike:
        said.append(f"These runs are not comparable: {'; '.join(unlike)}.")
    return Section(
        id="history",
        heading=HEADING,
        sentences=tuple(said),
        charts=tuple(_charts(found)),
        tables=(_times(found), _changes(found)),
    )


def numbered(found: History) -> str:
    """The runs with their numbers."""
    names = [analysis.run.name for analysis in found.analyses]
    every = ", ".join(f"{place} {name}" for place, name in enumerate(names, 1))
    return f"{counted(len(names), 'run')}, the oldest first: {every}."


def _panels(found: History) -> dict[Panel, Lines]:
    panels: dict[Panel, Lines] = {}
    for (problem, name, threads), points in series(found).items():
        panel = next(iter(points.values())).panel
        panels.setdefault((panel, problem, threads), {})[name] = points
    return panels


def _is_single(lines: Lines) -> bool:
    """Whether everything was measured in one run only, so that there is no change to draw."""
    return len({at for points in lines.values() for at in points}) < 2


def _single(panels: Mapping[Panel, Lines]) -> Counter[str]:
    """By panel the number of problems that were measured in one run only."""
    return Counter(panel for (panel, _, _), lines in panels.items() if _is_single(lines))


def _no_chart(count: int) -> list[str]:
    problems = counted(count, "problem")
    was = "was" if count == 1 else "were"
    return [f"Not drawn: {problems} that {was} measured in one run only."] if count else []


def _charts(found: History) -> Iterator[Chart]:
    """One for each panel, problem and threads that two runs or more measured."""
    look = looks_of(*(each.plan for each in found.analyses))
    verdicts = _verdicts(found)
    panels = _panels(found)
    single = _single(panels)
    drawn = {place: lines for place, lines in panels.items() if not _is_single(lines)}
    shared = shared_words(problem for _, problem, _ in drawn)
    several = len({threads for _, _, threads in drawn}) > 1
    for (panel, problem, threads), lines in drawn.items():
        label = without(problem, shared)
        if several:
            label += f", {counted(threads, 'thread')}"
        chart = _chart(panel, problem, label, shared)
        yield replace(
            chart,
            series=tuple(
                _line(found, (problem, name, threads), points, look[name], verdicts)
                for name, points in lines.items()
            ),
            note=" ".join([chart.note, *_no_chart(single[panel])]),
            sizes=tuple(float(at) for at in range(1, len(found.analyses) + 1)),
            alt=f"Time of {counted(len(lines), 'implementation')} on {problem}, run by run.",
        )


def _chart(panel: str, problem: Problem, label: str, shared: frozenset[str]) -> Chart:
    """A chart without its lines."""
    return Chart(
        key=f"{prefix(panel)}history",
        panel=panel,
        title=f"Time of {subject(panel)} over the runs",
        label=label,
        common=common_words(problem, shared),
        mask=str(problem.mask),
        x_title="run, the oldest first",
        y_title="ms for one call",
        log_x=False,
        log_y=True,
        series=(),
        note="A point is the median of a run's session medians, its bar their spread. "
        + NOT_JUDGED,
        alt="",
        facets=facets(problem),
    )


def _line(
    found: History,
    place: Place,
    points: Points,
    look: Look,
    verdicts: Mapping[tuple[str, Place], ComparisonRow],
) -> Series:
    def hover(at: int, row: Measurement) -> str:
        run = found.analyses[at].run
        between = spread(row.low_ms, row.high_ms)
        change = verdicts.get((run.name, place))
        after = f"\n{change.verdict} after {found.analyses[at - 1].run.name}" if change else ""
        time = f"{milliseconds(row.median_ms)} ms, sessions from {between}"
        return f"{place[1]}\n{run.name}, {moment(run.started)}\n{time}{after}"

    return Series(
        name=place[1],
        x=tuple(float(at + 1) for at in points),
        y=tuple(row.median_ms for row in points.values()),
        low=tuple(row.low_ms for row in points.values()),
        high=tuple(row.high_ms for row in points.values()),
        hover=tuple(hover(at, row) for at, row in points.items()),
        look=look,
        implementation=place[1],
    )


def _verdicts(found: History) -> dict[tuple[str, Place], ComparisonRow]:
    """What changed, by the later run and the place."""
    return {
        (change.new, (row.problem, row.implementation, row.threads)): row
        for change in found.changes
        for row in change.rows
    }


def _times(found: History) -> Table:
    """A row for each series, a column for each run, the latest first."""
    latest_first = range(len(found.analyses) - 1, -1, -1)
    rows = [
        Row(
            cells=(
                Value(str(problem)),
                Value(name),
                Value(str(threads), threads),
                *(_time(points.get(at)) for at in latest_first),
            ),
            facets=facets(problem, name),
        )
        for (problem, name, threads), points in series(found).items()
    ]
    runs = (f"ms in run {at + 1}" for at in latest_first)
    head = ("problem", "implementation", "threads", *runs)
    return Table("Times, with the spread of the sessions", head, tuple(rows), shown=6)


def _time(row: Measurement | None) -> Value:
    if row is None:
        return Value("")
    between = spread(row.low_ms, row.high_ms)
    return Value(f"{milliseconds(row.median_ms)} ({between})", row.median_ms)


def _changes(found: History) -> Table:
    """What changed from each run to the next; a ratio below 1 is faster in the later run."""
    rows = [
        Row(_cells(change, row), facets(row.problem, row.implementation))
        for change in found.changes
        for row in _judged_first(change.rows)
    ]
    return Table("Changes from each run to the next", _CHANGES, tuple(rows), shown=6)


def _judged_first(rows: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    """Rows with a verdict before rows without one."""
    return sorted(rows, key=lambda row: row.verdict == "not judged")


def _cells(change: Comparison, row: ComparisonRow) -> tuple[Value, ...]:
    return (
        Value(str(row.problem)),
        Value(row.implementation),
        Value(str(row.threads), row.threads),
        Value(change.new),
        Value(ratio_in(row.ratio, row.low, row.high), row.ratio),
        Value(row.verdict),
        Value(row_reason(row)),
        Value(milliseconds(row.new_ms), row.new_ms),
        Value(change.base),
        Value(milliseconds(row.base_ms), row.base_ms),
    )
