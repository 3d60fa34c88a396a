"""What a terminal shows of a run: progress while it runs, and the tables at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from reports import words
from reports.analysis import Analysis
from reports.judging import choices
from reports.judging.verdict_tables import verdict_tables
from reports.panels import panels_of, subject
from reports.printing import listings
from reports.printing.grids import Grid, error_grid, memory_grid, speed_up_grid, time_grid
from reports.printing.layout import MOST, STYLES, GridTables, state, table, with_numbers
from reports.printing.reasons import reasons
from reports.sessions import inside_words
from suites.records.record import ANSWERS, Conditions, Record

MOST_CHOICES: Final = 12
"""Sentences on choices; more are counted."""


class Screen:
    """Progress with the time left, and a line for every fault; silent where no terminal is.

    It shows the phase and the problem, and counts failures and disturbed rounds.

    console  where it shows; nothing is printed when that is no terminal
    total    how many records the first phase makes; None while that is not known
    quiet    show nothing, terminal or not
    """

    def __init__(self, console: Console, total: int | None = None, *, quiet: bool = False) -> None:
        self._live = console.is_terminal and not quiet
        self._progress = Progress(
            TextColumn("{task.description}\n{task.fields[problem]}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}", markup=False),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=total, problem="", counts="")
        self._failures = self._disturbed = 0
        self._last: tuple[int, str, Conditions | None] | None = None

    def start(self) -> None:
        """Begin to show."""
        if self._live:
            self._progress.start()

    def stop(self) -> None:
        """Take the bar away; what was printed above it stays."""
        if self._live:
            self._progress.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase of so many records begins; without a number the bar goes on as it was."""
        said = words.printable(text)
        if total is None:
            self._progress.update(self._task, description=said)
        else:
            self._progress.reset(
                self._task, description=said, total=total, problem="", counts=self._counts
            )

    def problem(self, text: str) -> None:
        """A problem is asked from here on."""
        self._progress.update(self._task, problem=words.printable(text))

    def advance(self, steps: float = 1) -> None:
        """Some steps are done that no record tells of."""
        self._progress.advance(self._task, steps)

    def record(self, record: Record) -> None:
        """A record was made: one step, and a line above the bar when it tells of a fault."""
        if self._live and record.status not in ANSWERS:
            self._progress.console.print(fault_line(record), soft_wrap=True)
        self._count(record)
        self.advance()

    def _count(self, record: Record) -> None:
        """Failures, and disturbed rounds: those in a round together tell of it together."""
        self._failures += record.status not in ANSWERS
        rounds = (record.session, record.problem, record.conditions)
        if record.conditions is not None and rounds != self._last:
            self._disturbed += sum(map(bool, record.conditions.disturbed))
            self._last = rounds
        self._progress.update(self._task, counts=self._counts)

    @property
    def _counts(self) -> str:
        """Two lines, so that a bar finds room beside them."""
        failures = words.counted(self._failures, "failure")
        return f"{failures}\n{words.counted(self._disturbed, 'disturbed round')}"


def fault_line(record: Record) -> Text:
    """One line: how it ended, who, on what, and why."""
    return Text.assemble(
        state(record.status),
        f"  {words.abbreviated(record.implementation)} on {words.printable(record.problem)}: ",
        words.abbreviated(record.reason, words.LONGEST_TEXT),
    )


def summary(analysis: Analysis) -> list[RenderableType]:
    """The tables at the end of a run: time, memory, verdicts, and what has no time and why.

    An implementation without a single number has no column: it stands in the last table only. A
    problem without one has no row, and is counted.
    """
    grids = [
        make(analysis, panel=panel)
        for make in (time_grid, memory_grid, error_grid, speed_up_grid)
        for panel in panels_of(analysis.plan)
    ]
    shown = [with_numbers(grid) for grid in grids if not grid.is_empty]
    tables: list[RenderableType] = [GridTables(grid) for grid in shown]
    if not shown:
        tables.append(Text(words.NO_TIMES))
    return [
        *_lines([of_threads(analysis) if shown else ""]),
        *tables,
        *_lines([left_out(analysis)]),
        *legend(shown),
        *verdict_tables(analysis),
        *_lines(choices.some(analysis, MOST_CHOICES)),
        *reasons(analysis),
        *_lines([inside_words(analysis.run, analysis.records)]),
    ]


def of_threads(analysis: Analysis) -> str:
    """Which of several numbers of threads the tables are of; empty where there is one."""
    *fewer, most = map(str, sorted(analysis.plan.threads))
    if not fewer:
        return ""
    return (
        f"Measured with {', '.join(fewer)} and {most} threads: the tables of time, memory and "
        f"error are of {most}; what {fewer[0]} takes stands in the table of the speed-up."
    )


def left_out(analysis: Analysis) -> str:
    """How many problems have no row because nobody has a time there; empty where all have one."""
    grids = {panel: time_grid(analysis, panel=panel) for panel in panels_of(analysis.plan)}
    counts = {
        panel: len(grid.rows) - len(with_numbers(grid).rows)
        for panel, grid in grids.items()
        if not grid.is_empty
    }
    told = [
        f"{words.counted(count, 'problem')} of {subject(panel)}"
        for panel, count in counts.items()
        if count
    ]
    return f"Left out, without a time: {', '.join(told)}; the page has them." if told else ""


def legend(grids: Iterable[Grid]) -> list[RenderableType]:
    """What bold and the short words in the cells mean: one line, for those that occur."""
    grids = list(grids)
    found = {each for grid in grids for each in grid.states()}
    parts = [
        f"{words.SHORT_WORDS[each]} {words.STATUS_WORDS[each]}"
        for each in words.STATUS_WORDS
        if each in found and words.SHORT_WORDS[each] != words.STATUS_WORDS[each]
    ]
    bold = ["bold the smallest of its row"] if grids else []
    return [Text("\n" + "   ".join([*bold, *parts]), style="dim")] if [*bold, *parts] else []


def check_tables(analysis: Analysis) -> list[RenderableType]:
    """What `check` found: a row per implementation, then the reasons of what does not agree.

    The column `mask` says whether the mask an implementation saw, read out, is the one asked for.
    """
    ended = analysis.outcomes
    found = {row["status"] for row in ended}
    seen = [each for each in words.STATUS_WORDS if each in found - {"ok"}]
    made = table("Agreement with the reference")
    made.add_column("implementation", no_wrap=True)
    for name in ("checked", "agree", *(words.STATUS_WORDS[each] for each in seen)):
        made.add_column(name, justify="right", min_width=max(map(len, name.split())))
    made.add_column("worst share of the gate", justify="right")
    made.add_column("mask")
    for entry in analysis.plan.entries:
        own = [row for row in ended if row["implementation"] == entry.name]
        made.add_row(Text(words.abbreviated(entry.name, MOST)), *_check_cells(own, seen))
    return [made, *reasons(analysis)]


def listed(what: str, data: Any) -> RenderableType:
    """The data of one of `list`'s lists as a table: implementations, suites, runs or machine."""
    return listings.TABLES[what](data)


def _lines(sentences: Iterable[str]) -> list[RenderableType]:
    """A line for each sentence, set off from what stands above."""
    found = [each for each in sentences if each]
    return [Text("\n" + "\n".join(found))] if found else []


def _check_cells(own: list[dict[str, Any]], seen: list[str]) -> list[Text]:
    counts = Counter(row["status"] for row in own)
    untried = counts["refused"] + counts["missing"] + counts[words.UNREACHED]
    shares = [row["share"] for row in own if row["share"] is not None]
    readouts = {row["readout"] for row in own} - {None}
    readout = "" if not readouts else "exact" if all(readouts) else "differs"
    return [
        Text(str(len(own) - untried)),
        Text(str(counts["ok"])),
        *(Text(str(counts[each] or ""), style=STYLES.get(each, "")) for each in seen),
        Text(words.share(max(shares, default=None))),
        Text(readout, style="bold red" if readout == "differs" else ""),
    ]
