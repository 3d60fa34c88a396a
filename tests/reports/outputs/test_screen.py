"""Progress: the time left of the whole run, faults above it, and silence without a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import groupby

import pytest
from rich.console import Console

from reports.outputs.terminal.screen import CheckScreen, Screen, roughly
from suites.engine.time_left import TimeLeft
from suites.records.record import Record
from tests.saved_run import PROBLEMS, small_run

FAULT = Record(
    session=1,
    problem=PROBLEMS[0],
    implementation="bad[x=1]",
    status="crashed",
    cause="process_died",
    reason="SIGSEGV",
)


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def now_s(self) -> float:
        return self.s


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_nothing_is_printed_where_no_terminal_is() -> None:
    console = Console(file=io.StringIO())
    with Screen(console, total=2) as screen:
        screen.phase("checking agreement", 2)
        screen.record(FAULT)
        screen.advance()
    assert printed(console) == ""


def test_nothing_is_printed_when_quiet() -> None:
    console = terminal()
    with Screen(console, quiet=True) as screen:
        screen.record(FAULT)
    assert printed(console) == ""


def test_the_line_has_the_phase_its_results_and_the_time_left_of_the_whole_run() -> None:
    clock = Clock()
    screen = Screen(terminal(), now_s=clock.now_s)
    assert screen.line == "starting; 0 s so far"
    screen.phase("checking 10 implementations", 62)
    screen.problem(PROBLEMS[0], TimeLeft(81.0))
    assert screen.line == (
        "checking 10 implementations, 0 of 62; 0 s so far, about 1 min 20 s left in all"
    )
    clock.s += 10
    screen.phase("session 1 of 2", 62)
    screen.problem(PROBLEMS[1], TimeLeft(36.0))
    for _ in range(30):
        screen.advance()
    assert screen.line == "session 1 of 2, 30 of 62; 10 s so far, about 35 s left in all"
    clock.s += 12
    assert screen.line == "session 1 of 2, 30 of 62; 22 s so far, about 25 s left in all"
    clock.s += 100  # a task may take longer than its forecast
    assert screen.line.endswith("2 min 2 s so far, longer than forecast")


def test_an_upper_bound_is_called_one() -> None:
    screen = Screen(terminal(), now_s=Clock().now_s)
    screen.problem(PROBLEMS[0], TimeLeft(1800.0, is_most=True))
    assert screen.line.endswith("at most 30 min left in all")


def test_steps_without_a_forecast_are_extrapolated_once_one_is_done() -> None:
    clock = Clock()
    screen = Screen(terminal(), now_s=clock.now_s)
    screen.phase("measuring what is known", 5)
    clock.s += 3
    assert screen.line == "measuring what is known, 0 of 5; 3 s so far"
    screen.advance()
    assert screen.line == "measuring what is known, 1 of 5; 3 s so far, about 10 s left in all"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "1 s"), (0, "1 s"), (7.4, "7 s"), (33, "35 s"), (59, "1 min"), (84, "1 min 20 s"),
     (119.9, "2 min"), (725, "12 min"), (3599, "1 h"), (7900, "2 h 10 min")],
)  # fmt: skip
def test_a_forecast_is_rounded_to_what_it_supports(seconds: float, text: str) -> None:
    assert roughly(seconds) == text


@pytest.mark.parametrize("width", [30, 40, 80, 160])
def test_the_lines_fit_the_terminal(width: int) -> None:
    console = terminal(width)
    with Screen(console, now_s=Clock().now_s) as screen:
        screen.phase("checking 10 implementations", 62)
        screen.problem(PROBLEMS[0], TimeLeft(7900.0, is_most=True))
        console.print(screen)
    text = " ".join(printed(console).split())
    assert "at most 2 h 10 min left in all" in text
    assert max(map(len, printed(console).splitlines())) <= width + len("\x1b[2K\x1b[1A") * 4


def test_phases_are_shown_and_only_faults_are_printed_above_them() -> None:
    console = terminal(100)
    with Screen(console, total=3) as screen:
        screen.phase("checking agreement", 3)
        screen.record(replace(FAULT, status="refused", cause="limits", reason="not said here"))
        screen.record(FAULT)
        screen.phase("session 1 of 3")
    text = printed(console)
    assert f"crashed  bad[x=1] on {PROBLEMS[0]}: SIGSEGV" in text
    assert "session 1 of 3, 2 of 3" in text
    assert "not said here" not in text


def test_failures_and_disturbed_rounds_are_counted_once_they_occur() -> None:
    _, records = small_run(problems=PROBLEMS[:1], sessions=2)
    screen = Screen(terminal())
    screen.phase("checking agreement", len(records))
    screen.problem(PROBLEMS[0], TimeLeft(9.0))
    assert screen.details == str(PROBLEMS[0])  # no count of what did not occur
    for record in records:  # in each session a round of five is disturbed, for all who share it
        screen.record(record)
    sessions = [list(group) for _, group in groupby(r.session for r in records if r.conditions)]
    of = f"{len(sessions)} of {5 * len(sessions)} rounds disturbed"
    assert screen.details == f"{PROBLEMS[0]}; 1 failure; {of}"
    screen.phase("session 2 of 2", 2)
    assert screen.details == f"1 failure; {of}"  # a new phase forgets the problem


def test_a_check_shows_how_many_problems_are_done_and_prints_no_faults() -> None:
    console = terminal(60)
    clock = Clock()
    with CheckScreen(console, now_s=clock.now_s) as screen:
        screen.phase("checking mine", 63)
        screen.record(FAULT)
        screen.problem(PROBLEMS[0], TimeLeft(20.0))
        assert screen.line == "checking mine, 1 of 63 problems; 0 s so far, about 20 s left"
    text = printed(console)
    assert "checking mine, 1 of 63 problems" in text
    assert "failure" not in text
    assert "SIGSEGV" not in text
