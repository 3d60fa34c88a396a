"""Runs of one machine in the order they were made: each time over the runs, and what changed.

Runs were measured at different times, so that milliseconds are shown and never judged: a change is
what `reports.judging.compare` finds between a run and the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from reports import words
from reports.analysis import Analysis, Rows
from reports.drawing.palette import Look, looks
from reports.drawing.series import Chart, Series
from reports.html import page
from reports.html.page import Report
from reports.judging.compare import Comparison, runs
from reports.judging.verdict_words import ratio_in
from reports.panels import prefix, subject
from reports.printing.plain import compared, plain
from reports.sections import Row, Section, Table, Value, facets
from reports.tables import rows_of
from suites.records.record import Record
from suites.records.store import Run

HEADING: Final = "Over the runs"
APART: Final = (
    "Runs were measured at different times: a change is how an implementation's ratio to what both "
    "runs measured beside it differs; milliseconds are shown, not judged."
)
_CHANGES: Final = (
    "problem", "implementation", "threads", "run", "ms", "after", "its ms", "ratio", "verdict",
    "reason",
)  # fmt: skip
_POINT: Final = ("median_ms", "low_ms", "high_ms", "sessions")

Place = tuple[str, str, int]
"""A problem, an implementation on it, and the threads it was timed with."""
Panel = tuple[str, str, int]
"""Who is drawn: a panel of the report, a problem, and the threads."""
Lines = dict[str, dict[int, dict[str, Any]]]
"""The measurements of each implementation, by the place of their run."""


@dataclass(frozen=True, slots=True)
class History:
    """Several runs, the oldest first.

    changes      each run but the first beside the one before it
    differences  what differs between the machines and settings of neighbours, in words; not
                 empty: not to be shown together, unless that is asked for
    """

    analyses: tuple[Analysis, ...]
    changes: tuple[Comparison, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs between neighbours."""
        return tuple(each for change in self.changes for each in change.differences)


def history(stored: Iterable[tuple[Run, list[Record]]]) -> History:
    """The history that runs and their records tell. Raises ValueError for fewer than two runs."""
    ordered = sorted(stored, key=lambda each: each[0].started)
    names = [run.name for run, _ in ordered]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise ValueError(
            f"a history of {', '.join(names) or 'no run'}; expected two runs or more, each once "
            "(python run_bench.py list runs)"
        )
    return History(
        analyses=tuple(Analysis(*each) for each in ordered),
        changes=tuple(runs(*base, *new) for base, new in pairwise(ordered)),
    )


def section(found: History) -> Section:
    """The history as a part of a page: a chart a problem, the times, and the changes."""
    said = [numbered(found), APART]
    said += [f"{each.new} after {each.base}: {each.sentences[0]}" for each in found.changes]
    said += _no_chart(_alone(_panels(found)).total())
    if found.differences:
        said.append(f"These runs are not comparable: {'; '.join(found.differences)}.")
    return Section(
        id="history",
        heading=HEADING,
        sentences=tuple(said),
        charts=tuple(_charts(found)),
        tables=(_times(found), _changes(found)),
    )


def numbered(found: History) -> str:
    """The runs with the numbers they go by."""
    names = [analysis.run.name for analysis in found.analyses]
    every = ", ".join(f"{place} {name}" for place, name in enumerate(names, 1))
    return f"{words.counted(len(names), 'run')}, the oldest first: {every}."


def write(found: History, made: Section, folder: Path) -> Report:
    """Write the page of the newest run with the history's section, and the charts of both."""
    newest = found.analyses[-1]
    newest.further = (made,)
    return page.write(newest, folder)


def as_data(found: History) -> dict[str, Any]:
    """The history as plain data: the runs, every time in each of them, and the changes."""
    told = [
        {
            **dict(zip(("problem", "implementation", "threads"), place, strict=True)),
            "points": [
                {"run": found.analyses[at].run.name, **{name: row[name] for name in _POINT}}
                for at, row in points.items()
            ],
        }
        for place, points in series(found).items()
    ]
    return {
        "runs": [
            {"name": each.run.name, "started": each.run.started, "ended": each.run.ended}
            for each in found.analyses
        ],
        "series": [plain(each) for each in told],
        "changes": [compared(each) for each in found.changes],
        "differences": list(found.differences),
    }


def series(found: History) -> dict[Place, dict[int, dict[str, Any]]]:
    """The measurements of each problem, implementation and threads, by the place of their run."""
    every: dict[Place, dict[int, dict[str, Any]]] = {}
    for at, analysis in enumerate(found.analyses):
        for row in analysis.measurements:
            place = row["problem"], row["implementation"], row["threads"]
            every.setdefault(place, {})[at] = row
    return every


def _panels(found: History) -> dict[Panel, Lines]:
    """What each panel, problem and threads has to draw."""
    panels: dict[Panel, Lines] = {}
    for (problem, name, threads), points in series(found).items():
        panel = next(iter(points.values()))["panel"]
        panels.setdefault((panel, problem, threads), {})[name] = points
    return panels


def _is_alone(lines: Lines) -> bool:
    """Whether all was measured in one run only: there is nothing to see over the runs."""
    return len({at for points in lines.values() for at in points}) < 2


def _alone(panels: dict[Panel, Lines]) -> Counter[str]:
    """How many problems each panel has that were measured in one run only."""
    return Counter(panel for (panel, _, _), lines in panels.items() if _is_alone(lines))


def _no_chart(count: int) -> list[str]:
    problems = words.counted(count, "problem")
    was = "was" if count == 1 else "were"
    return [f"Not drawn: {problems} that {was} measured in one run only."] if count else []


def _charts(found: History) -> Iterator[Chart]:
    """One for each panel, problem and threads that two runs or more measured."""
    look = looks(entry.name for each in found.analyses for entry in each.plan.entries)
    verdicts = _verdicts(found)
    panels = _panels(found)
    alone = _alone(panels)
    drawn = {place: lines for place, lines in panels.items() if not _is_alone(lines)}
    shared = words.shared_words(problem for _, problem, _ in drawn)
    several = len({threads for _, _, threads in drawn}) > 1
    for (panel, problem, threads), lines in drawn.items():
        label = words.without(problem, shared)
        if several:
            label += f", {words.counted(threads, 'thread')}"
        chart = _chart(panel, problem, label, shared)
        yield replace(
            chart,
            series=tuple(
                _line(found, (problem, name, threads), points, look[name], verdicts)
                for name, points in lines.items()
            ),
            note=" ".join([chart.note, *_no_chart(alone[panel])]),
            sizes=tuple(float(at) for at in range(1, len(found.analyses) + 1)),
            alt=f"Time of {words.counted(len(lines), 'implementation')} on {problem}, run by run.",
        )


def _chart(panel: str, problem: str, label: str, shared: frozenset[str]) -> Chart:
    """A chart without its lines."""
    told = facets(problem)
    return Chart(
        key=f"{prefix(panel)}history",
        panel=panel,
        title=f"Time of {subject(panel)} over the runs",
        label=label,
        common=" ".join(word for word in problem.split() if word in shared),
        mask=told["mask"],
        x_title="run, the oldest first",
        y_title="ms for one call",
        log_x=False,
        log_y=True,
        series=(),
        note="A point is the median of a run's session medians, its bar their spread. " + APART,
        alt="",
        facets=told,
    )


def _line(
    found: History,
    place: Place,
    points: dict[int, dict[str, Any]],
    look: Look,
    verdicts: dict[tuple[str, Place], dict[str, Any]],
) -> Series:
    def hover(at: int, row: dict[str, Any]) -> str:
        run = found.analyses[at].run
        spread = words.spread(row["low_ms"], row["high_ms"])
        change = verdicts.get((run.name, place))
        after = f"\n{change['verdict']} after {found.analyses[at - 1].run.name}" if change else ""
        time = f"{words.milliseconds(row['median_ms'])} ms, sessions from {spread}"
        return f"{place[1]}\n{run.name}, {words.moment(run.started)}\n{time}{after}"

    return Series(
        name=place[1],
        x=tuple(float(at + 1) for at in points),
        y=tuple(row["median_ms"] for row in points.values()),
        low=tuple(row["low_ms"] for row in points.values()),
        high=tuple(row["high_ms"] for row in points.values()),
        hover=tuple(hover(at, row) for at, row in points.items()),
        look=look,
        implementation=place[1],
    )


def _verdicts(found: History) -> dict[tuple[str, Place], dict[str, Any]]:
    """What changed, by the later run and the place."""
    return {
        (change.new, (row["problem"], row["implementation"], row["threads"])): row
        for change in found.changes
        for row in rows_of(change.table)
    }


def _times(found: History) -> Table:
    """A row for each series, a column for each run."""
    count = len(found.analyses)
    rows = [
        Row(
            cells=(
                Value(problem),
                Value(name),
                Value(str(threads), threads),
                *(_time(points.get(at)) for at in range(count)),
            ),
            facets=facets(problem, name),
        )
        for (problem, name, threads), points in series(found).items()
    ]
    places = range(1, count + 1)
    head = ("problem", "implementation", "threads", *(f"ms in run {place}" for place in places))
    return Table("Times, with the spread of the sessions", head, tuple(rows))


def _time(row: dict[str, Any] | None) -> Value:
    if row is None:
        return Value("")
    spread = words.spread(row["low_ms"], row["high_ms"])
    return Value(f"{words.milliseconds(row['median_ms'])} ({spread})", row["median_ms"])


def _changes(found: History) -> Table:
    """What changed from each run to the next; a ratio below 1 is faster now."""
    rows = [
        Row(_cells(change, row), facets(row["problem"], row["implementation"]))
        for change in found.changes
        for row in _judged_first(rows_of(change.table))
    ]
    return Table("Changes from each run to the next", _CHANGES, tuple(rows))


def _judged_first(rows: Rows) -> Rows:
    """Those on which something could be concluded before those on which nothing could."""
    return sorted(rows, key=lambda row: row["verdict"] == "not judged")


def _cells(change: Comparison, row: dict[str, Any]) -> tuple[Value, ...]:
    return (
        Value(row["problem"]),
        Value(row["implementation"]),
        Value(str(row["threads"]), row["threads"]),
        Value(change.new),
        Value(words.milliseconds(row["new_ms"]), row["new_ms"]),
        Value(change.base),
        Value(words.milliseconds(row["base_ms"]), row["base_ms"]),
        Value(ratio_in(row["ratio"], row["low"], row["high"]), row["ratio"]),
        Value(row["verdict"]),
        Value(row["reason"] or ""),
    )
