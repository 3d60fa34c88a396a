"""Live progress of a run in a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from impls.interface import Problem
from reports.outputs.terminal.grid_tables import state
from reports.views.text import LONGEST_TEXT, abbreviated, counted, printable
from suites.records.record import ANSWERS, Conditions, Record

BAR: Final = 12
"""Characters of the bar: the counts beside it need the rest of 80."""


class Doing(ProgressColumn):
    """A progress column: the phase, the count of finished steps, and the current problem.

    steps  the unit of the count: problems or trials
    """

    def __init__(self, steps: str) -> None:
        super().__init__(Column(no_wrap=True))
        self._steps = steps

    def render(self, task: Task) -> Text:
        """Two lines: `checking mine: 12 of 63 problems`, and the problem."""
        count = f": {task.completed:.0f} of {task.total:.0f} {self._steps}" if task.total else ""
        return Text(f"{task.description}{count}\n{task.fields['problem']}")


class Screen:
    """Progress with the time left, and a line for every fault; silent without a terminal.

    It shows the phase and the problem, and counts failures and disturbed rounds.

    console  where it shows; nothing is printed when that is no terminal
    total    records of the first phase; None while that is not known
    quiet    show nothing, terminal or not
    """

    steps = "results"

    def __init__(self, console: Console, total: int | None = None, *, quiet: bool = False) -> None:
        self._live = console.is_terminal and not quiet
        self._progress = Progress(
            Doing(self.steps),
            BarColumn(bar_width=BAR),
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
        self._last: tuple[int, Problem, Conditions | None] | None = None

    def start(self) -> None:
        """Begin to show."""
        if self._live:
            self._progress.start()

    def stop(self) -> None:
        """Remove the bar; lines printed above it stay."""
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
        """A phase of so many records begins; without a number the bar goes on."""
        said = printable(text)
        if total is None:
            self._progress.update(self._task, description=said)
        else:
            self._progress.reset(
                self._task, description=said, total=total, problem="", counts=self._counts
            )

    def problem(self, problem: Problem) -> None:
        """A problem is checked or timed from here on."""
        self._progress.update(self._task, problem=str(problem))

    def advance(self, steps: float = 1) -> None:
        """Steps that have no record are done."""
        self._progress.advance(self._task, steps)

    def record(self, record: Record) -> None:
        """A record was made: one step, and a line above the bar when it is a fault."""
        if self._live and record.status not in ANSWERS:
            self._progress.console.print(fault_line(record), soft_wrap=True)
        self._count(record)
        self.advance()

    def _count(self, record: Record) -> None:
        """Count failures and disturbed rounds; records with the same rounds count once."""
        self._failures += record.status not in ANSWERS
        rounds = (record.session, record.problem, record.conditions)
        if record.conditions is not None and rounds != self._last:
            self._disturbed += record.disturbed_rounds
            self._last = rounds
        self._progress.update(self._task, counts=self._counts)

    @property
    def _counts(self) -> str:
        """Two lines, so that there is room for a bar beside them."""
        failures = counted(self._failures, "failure")
        return f"{failures}\n{counted(self._disturbed, 'disturbed round')}"


class CheckScreen(Screen):
    """Progress of a check: faults are part of its result, so none is printed above the bar."""

    steps = "problems"

    def record(self, _: Record) -> None:
        """A problem was checked: one step."""
        self.advance()

    @property
    def _counts(self) -> str:
        return ""


class TrialScreen(Screen):
    """Progress of the search for limits: a problem that is not ok is a result, not a fault."""

    steps = "trials"

    def search(self, name: str) -> None:
        """The limits of an implementation are searched from here on."""
        self._progress.reset(
            self._task, description=f"finding the limits of {abbreviated(name)}", total=0,
            problem="", counts="",
        )  # fmt: skip

    def phase(self, text: str, total: int | None = None) -> None:  # noqa: ARG002 - of one search
        """Further trials follow: how many there are is known step by step."""
        before = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=before + (total or 0))

    def record(self, _: Record) -> None:
        """A problem was tried: one step."""
        self.advance()


def fault_line(record: Record) -> Text:
    """One line: the state, the implementation, the problem and the reason."""
    return Text.assemble(
        state(record.status),
        f"  {abbreviated(record.implementation)} on {record.problem}: ",
        abbreviated(record.reason, LONGEST_TEXT),
    )
