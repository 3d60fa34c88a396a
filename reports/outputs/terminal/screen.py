"""Live progress of a run in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from impls.interface import Problem
from reports.outputs.terminal.grid_tables import state
from reports.views.text import LONGEST_TEXT, abbreviated, counted, duration, printable
from suites.engine.time_left import TimeLeft
from suites.records.record import ANSWERS, Conditions, Record

SHOWN_A_SECOND: Final = 4
"""How often the lines are drawn anew: more often would take time from the run."""
OVERDUE: Final = "longer than forecast"
"""Stands for the time left once a forecast has passed."""


@dataclass(slots=True)
class Steps:
    """The phase at work: its name, its finished steps, and how many it has."""

    name: str = "starting"
    done: float = 0.0
    total: float | None = None
    began_s: float = 0.0

    def left_s(self, now_s: float) -> float | None:
        """Seconds until its last step if they go on as before; None before the first."""
        if not self.total or not self.done:
            return None
        return (now_s - self.began_s) * max(0.0, self.total / self.done - 1)


class Screen:
    """Progress with the time left of the whole run, and a line for every fault.

    The first line has the phase, its finished results, the time so far and the time left. The
    second has the problem, and counts failures and disturbed rounds.

    console  where it shows; nothing is printed when that is no terminal
    total    results of the first phase; None while that is not known
    quiet    show nothing, terminal or not
    now_s    a clock, seconds
    """

    scope = " in all"
    unit = ""

    def __init__(
        self,
        console: Console,
        total: int | None = None,
        *,
        quiet: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._now_s = console, now_s
        self._is_live = console.is_terminal and not quiet
        self._live = Live(
            console=console,
            refresh_per_second=SHOWN_A_SECOND,
            transient=True,
            get_renderable=lambda: self,
        )
        self._began_s = now_s()
        self._steps = Steps(total=total, began_s=self._began_s)
        self._problem = ""
        self._left: tuple[float, TimeLeft] | None = None
        self._counts = Counts()

    def start(self) -> None:
        """Begin to show."""
        if self._is_live:
            self._live.start()

    def stop(self) -> None:
        """Remove the lines of progress; lines printed above them stay."""
        if self._is_live:
            self._live.stop()

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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(filter(None, [self.line, self.details])))

    @property
    def line(self) -> str:
        """`session 1 of 2, 30 of 62; 10 s so far, about 35 s left in all`."""
        steps = self._steps
        done = f", {steps.done:.0f} of {steps.total:.0f}{self.unit}" if steps.total else ""
        so_far = f"{duration(self._now_s() - self._began_s)} so far"
        return f"{steps.name}{done}; {', '.join(filter(None, [so_far, self._time_left()]))}"

    @property
    def details(self) -> str:
        """The problem, then failures and disturbed rounds where there are any."""
        return "; ".join(filter(None, [self._problem, *self._counts.words()]))

    def _time_left(self) -> str:
        """The forecast of the run, less the time since; without one that of the phase's steps."""
        now_s = self._now_s()
        if self._left is not None:
            at_s, left = self._left
            seconds = left.seconds - (now_s - at_s)
            words = "at most" if left.is_most else "about"
            return f"{words} {roughly(seconds)} left{self.scope}" if seconds > 0 else OVERDUE
        of_steps = self._steps.left_s(now_s)
        return "" if of_steps is None else f"about {roughly(of_steps)} left{self.scope}"

    def phase(self, text: str, total: int | None = None) -> None:
        """A phase of so many results begins; without a number the count goes on."""
        if total is None:
            self._steps.name = printable(text)
            return
        self._steps = Steps(printable(text), total=total, began_s=self._now_s())
        self._problem = ""

    def problem(self, problem: Problem, left: TimeLeft) -> None:
        """A problem is checked or timed from here on; `left` is of the whole run."""
        self._problem = str(problem)
        self._left = (self._now_s(), left)

    def advance(self, steps: float = 1) -> None:
        """Steps that have no record are done."""
        self._steps.done += steps

    def record(self, record: Record) -> None:
        """A record was made: one step, and a line above the progress when it is a fault."""
        if self._is_live and record.status not in ANSWERS:
            self._console.print(fault_line(record), soft_wrap=True)
        self._counts.add(record)
        self.advance()


@dataclass(slots=True)
class Counts:
    """Failures, rounds and disturbed rounds; records with the same rounds count once."""

    failures: int = 0
    rounds: int = 0
    disturbed: int = 0
    _last: tuple[int, Problem, Conditions] | None = field(default=None)

    def add(self, record: Record) -> None:
        """Count a record."""
        self.failures += record.status not in ANSWERS
        if record.conditions is None:
            return
        rounds = (record.session, record.problem, record.conditions)
        if rounds != self._last:
            self.rounds += len(record.conditions.disturbed)
            self.disturbed += record.disturbed_rounds
            self._last = rounds

    def words(self) -> list[str]:
        """The counts in words; without what did not occur."""
        failures = counted(self.failures, "failure") if self.failures else ""
        disturbed = f"{self.disturbed} of {counted(self.rounds, 'round')} disturbed"
        return [each for each in (failures, disturbed if self.disturbed else "") if each]


class CheckScreen(Screen):
    """Progress of a check: faults are part of its result, so none is printed above the lines."""

    scope = ""
    unit = " problems"

    def record(self, _: Record) -> None:
        """A problem was checked: one step."""
        self.advance()


class TrialScreen(Screen):
    """Progress of the search for limits: a problem that is not ok is a result, not a fault."""

    unit = " trials"

    def search(self, name: str) -> None:
        """The limits of an implementation are searched from here on."""
        self._steps = Steps(f"finding the limits of {abbreviated(name)}", began_s=self._now_s())
        self._problem = ""

    def phase(self, text: str, total: int | None = None) -> None:  # noqa: ARG002 - of one search
        """Further trials follow: how many there are is known step by step."""
        self._steps.total = (self._steps.total or 0) + (total or 0)

    def record(self, _: Record) -> None:
        """A problem was tried: one step."""
        self.advance()

    def _time_left(self) -> str:
        """Empty: how many trials follow is not known."""
        return ""


def roughly(seconds: float) -> str:
    """A forecast in steps that it supports: 7 s, 35 s, 1 min 20 s, 12 min, 2 h 10 min."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    step = 5 if seconds < 60 else 10 if seconds < 120 else 60 if seconds < 3600 else 600
    return duration(step * round(seconds / step)).removesuffix(" 0 s").removesuffix(" 0 min")


def fault_line(record: Record) -> Text:
    """One line: the state, the implementation, the problem and the reason."""
    return Text.assemble(
        state(record.status),
        f"  {abbreviated(record.implementation)} on {record.problem}: ",
        abbreviated(record.reason, LONGEST_TEXT),
    )
