"""Several machines side by side as parts of a page: answers, times, charts, facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from impls.interface import Problem
from reports.analysis.machines import Machines, Pair, Side
from reports.rows.families import LENGTH, Group, groups
from reports.rows.measurements import Measurement
from reports.views import answer, differences, families, headline, machine, overview
from reports.views.charts.chart import Chart, Series
from reports.views.charts.palette import LINES, Look, looks_of
from reports.views.numbers import milliseconds, ratio_in, spread
from reports.views.panels import heading, of_panel, prefix
from reports.views.problems import common_facets, facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.statuses import STATUS_WORDS
from reports.views.text import abbreviated, counted

HEADING: Final = "Machines side by side"
NOT_JUDGED: Final = (
    "Each ratio is to the baseline of the same machine. Times of two machines are shown beside "
    "each other and not judged."
)
WHY: Final = "These runs are of different machines: their CPU, cores, memory or devices differ."
BASELINE: Final = "baseline"
_SHOWN: Final = 8
"""Columns that are shown at first: the times and ratios of three machines fit a window."""
_NO_ANSWER: Final = "Nothing was compared on this machine."
_CHART_NOTE: Final = (
    "A line style for each machine, a colour for each implementation. A point is the median of the "
    "session medians, its bar their spread."
)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A measurement and the position of its run."""

    at: int
    row: Measurement

    @property
    def problem(self) -> Problem:
        """The problem."""
        return self.row.problem


def title(found: Machines) -> str:
    """What the page shows: 2 runs side by side: 8 implementations on the suite quick, ..."""
    titles = dict.fromkeys(headline.title(side.analysis) for side in found.sides)
    return f"{HEADING}: {'; '.join(titles)}"


def name(side: Side) -> str:
    """The machine in a few words: A, Example CPU 9000, 2 cores."""
    run = side.run
    cores = run.machine.get("cores")
    needed = {problem.device for problem in run.plan.problems}
    devices = [
        str(each.get("name"))
        for each in run.machine.get("devices") or ()
        if each.get("device") in needed - {"cpu"}
    ]
    cpu = str(run.machine.get("cpu") or "a machine without recorded facts")
    parts = [*devices, cpu, counted(cores, "core") if isinstance(cores, int) else ""]
    return ", ".join([side.label, *map(abbreviated, filter(None, parts))])


def legend(found: Machines) -> list[str]:
    """A line for each machine, with its run."""
    return [f"{name(each)}: run {each.run.name}" for each in found.sides]


def sections(found: Machines) -> list[Section]:
    """The parts of the page below the answers: times, charts and facts."""
    return [
        Section(
            id="times",
            heading="Times",
            charts=tuple(_charts(found)),
            tables=tuple(times(found, panel) for panel in found.panels),
        ),
        Section(
            id="machine",
            heading="The machines",
            sentences=tuple(unlike(found)),
            tables=(_facts(found),),
        ),
    ]


def answers(side: Side) -> list[str]:
    """The answer of one machine; a sentence that there is none, otherwise."""
    return answer.sentences(side.analysis) or [_NO_ANSWER]


def faults(side: Side) -> list[str]:
    """Implementations that are wrong, crashed or failed on one machine, each with its cause."""
    return [f"{fault.said}: {fault.why}" for fault in headline.faults(side.analysis)]


def notes(side: Side) -> list[str]:
    """The run, how much of it was timed, its noise, and how its answers ended."""
    return [
        f"Run {side.run.name} · {headline.preamble(side.analysis)}.",
        overview.sentences(side.analysis)[0],
    ]


def unlike(found: Machines) -> Iterator[str]:
    """What differs between the first machine and each of the others, in sentences."""
    for first, other, each in found.differences:
        yield f"{differences.sentence(each, first.label, other.label)}."


def times(found: Machines, panel: str) -> Table:
    """A row for each problem and implementation of a panel, two columns for each machine."""
    heads = (f"{side.label} {head}" for side in found.sides for head in ("ms", "ratio [95 %]"))
    rows = tuple(
        Row(
            cells=(
                Value(str(pair[0])),
                Value(pair[1]),
                *(cell for side in found.sides for cell in cells(side, pair)),
            ),
            facets=facets(*pair),
        )
        for pair in found.panels[panel]
    )
    caption = (
        f"{heading(panel)}: median times, and ratios to the baseline of the same machine. "
        f"{baselines(found, panel)}"
    )
    return Table(caption, ("problem", "implementation", *heads), rows, shown=_SHOWN)


def cells(side: Side, pair: Pair) -> tuple[Value, Value]:
    """The time of a pair on one machine and its ratio there; in words where there is none."""
    row, verdict = side.measurements.get(pair), side.verdicts.get(pair)
    if row is None:
        return Value(_absent(side, pair), float("nan")), Value("", float("nan"))
    time = Value(milliseconds(row.median_ms), row.median_ms)
    if verdict is not None and verdict.ratio is not None:
        return time, Value(ratio_in(verdict.ratio, verdict.low, verdict.high), verdict.ratio)
    word = BASELINE if pair in side.baselines else "not judged"
    return time, Value(word, 1.0 if pair in side.baselines else float("nan"))


def _absent(side: Side, pair: Pair) -> str:
    """Why a machine has no time of a pair."""
    found = side.outcomes.get(pair)
    if found is None:
        return "not in its plan"
    return "not timed" if found.status == "ok" else STATUS_WORDS[found.status]


def baselines(found: Machines, panel: str) -> str:
    """The baselines of a panel, for each machine where they differ: A naive, B sdpa_flash."""
    pairs = set(found.panels[panel])
    own = {
        side.label: ", ".join(sorted({abbreviated(each) for _, each in side.baselines & pairs}))
        or "none"
        for side in found.sides
    }
    if len(set(own.values())) == 1:
        return f"Baseline: {next(iter(own.values()))}."
    return f"Baseline: {', '.join(f'{letter} {names}' for letter, names in own.items())}."


def _facts(found: Machines) -> Table:
    """The facts of the machines and settings, a column for each; those that differ come first."""
    own = [dict(machine.facts(each.run, each.analysis.records)) for each in found.sides]
    names = dict.fromkeys(fact for facts in own for fact in facts)
    rows = [(fact, [facts.get(fact, machine.ABSENT) for facts in own]) for fact in names]
    ordered = sorted(rows, key=lambda row: len(set(row[1])) == 1)
    return Table(
        "Facts of the machines and their runs; those that differ come first.",
        ("fact", *(each.label for each in found.sides)),
        tuple(Row((Value(fact), *map(Value, values))) for fact, values in ordered),
        shown=_SHOWN,
    )


def _charts(found: Machines) -> Iterator[Chart]:
    """Times over the length, with the lines of all machines on one chart."""
    every = [
        _Placed(at, row)
        for at, side in enumerate(found.sides)
        for row in side.measurements.values()
    ]
    look = looks_of(*(side.analysis.plan for side in found.sides))
    for panel in found.panels:
        own = [each for each in every if each.row.panel == panel]
        found_groups: list[Group[_Placed, _Placed]] = groups(LENGTH, own)
        for group in found_groups:
            yield _chart(found, panel, group, look)


def _chart(
    found: Machines, panel: str, group: Group[_Placed, _Placed], look: dict[str, Look]
) -> Chart:
    lines: dict[tuple[str, int], list[Measurement]] = {}
    for each in group.drawn:
        lines.setdefault((each.row.implementation, each.at), []).append(each.row)
    return Chart(
        key=f"{prefix(panel)}machines_time_vs_length",
        panel=panel,
        title=f"Time{of_panel(panel)} against sequence length, by machine",
        label=families.label(group),
        common=families.common(group),
        mask=families.mask(group),
        x_title=families.axis_label(group.axis),
        y_title="ms for one call",
        log_x=True,
        log_y=True,
        series=tuple(
            _line(found.sides[at], rows, look[implementation], LINES[at % len(LINES)])
            for (implementation, at), rows in sorted(lines.items())
        ),
        note=_CHART_NOTE,
        alt=f"Times of {counted(len(lines), 'line')}: implementations on {families.where(group)}, "
        f"on machines {', '.join(each.label for each in found.sides)}.",
        facets=common_facets(each.row.problem for each in group.drawn),
    )


def _line(side: Side, rows: list[Measurement], look: Look, dashes: str) -> Series:
    rows = sorted(rows, key=lambda row: LENGTH.size(row.problem))
    implementation = rows[0].implementation
    return Series(
        name=f"{implementation}, {side.label}",
        x=tuple(LENGTH.size(row.problem) for row in rows),
        y=tuple(row.median_ms for row in rows),
        low=tuple(row.low_ms for row in rows),
        high=tuple(row.high_ms for row in rows),
        hover=tuple(
            f"{abbreviated(implementation)}\n{name(side)}\n{row.problem}\n"
            f"median {milliseconds(row.median_ms)} ms, sessions from "
            f"{spread(row.low_ms, row.high_ms)}"
            for row in rows
        ),
        look=Look(look.light, look.dark, look.marker, dashes),
        implementation=implementation,
    )
