"""The section of a profile's page: set-up, and after how many calls it has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.set_up import Paid, SetUpRow, set_up_rows
from reports.rows.measurements import Measurement
from reports.views.numbers import milliseconds, number
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from reports.views.values import figure

HEADING: Final = "Set-up and later calls"
OF_LONGEST: Final = "On the problem with the longest call, {}; the table has all of them:"
_SECOND: Final = 1000.0
"""Milliseconds from which a sentence has seconds."""
NONE: Final = "none"
MOST_CALLS: Final = 1_000_000
"""A larger number of calls is shown as more than this."""
_CAPTION: Final = (
    "Medians over the sessions of the run, without the profiler. “First call” contains compiling, "
    "which loads code that the check compiled. “Compile cold” is the time that torch spent on "
    "compiling in the process of the profile, which finds no code from earlier."
)
_HEAD: Final = (
    "problem", "implementation", "prepare ms", "first call ms", "later calls ms",
    "paid after calls", "compilations", "compile ms", "compile cold ms",
)  # fmt: skip
_NAMES: Final = (
    "problem", "implementation", "prepare_ms", "first_call_ms", "median_ms", "paid_after_calls",
    "compilations", "compile_ms", "compile_cold_ms",
)  # fmt: skip


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none without times."""
    rows = set_up_rows(found)
    if not rows:
        return []
    problems = list(dict.fromkeys(row.profile.problem for row in rows))
    longest = found.longest if found.longest in problems else problems[0]
    own = (row for row in rows if row.profile.problem == longest)
    said = [each for row in own for each in sentences(found, row)]
    if len(problems) > 1:
        said.insert(0, OF_LONGEST.format(longest))
    table = Table(
        _CAPTION,
        _HEAD,
        tuple(each for row in rows for each in _rows(found, row)),
        shown=len(_HEAD),
        names=_NAMES,
    )
    return [Section("set-up", HEADING, sentences=tuple(said), tables=(table,))]


def sentences(found: ProfiledRun, row: SetUpRow) -> Iterator[str]:
    """Time of set-up, and the calls after which it has paid for itself."""
    problem = row.profile.problem
    yield from _takes(row.own, _cold_ms(found, problem, row.own.implementation))
    if row.other is None or row.paid is None or row.baseline is None:
        return
    yield from _takes(row.other, _cold_ms(found, problem, row.other.implementation))
    name, other = (abbreviated(each.implementation) for each in (row.own, row.other))
    yield _paid(name, other, row.paid)
    if row.paid.outcome == "never" and row.baseline.outcome == "paid":
        yield _paid(other, name, row.baseline)


def _takes(row: Measurement, cold_ms: float | None) -> Iterator[str]:
    """As "Set-up of flex takes 9.6 s (preparing 2.3 s, first call 7.3 s); a later call 24 ms."."""
    name, later = abbreviated(row.implementation), _time(row.median_ms)
    prepare_ms, first_ms = row.prepare_ms or 0.0, row.first_call_ms or 0.0
    parts = [
        f"preparing {_time(prepare_ms)}" if prepare_ms else "",
        f"first call {_time(first_ms)}",
        _compilations(row),
    ]
    if prepare_ms or row.compilations:
        whole = f"{_time(prepare_ms + first_ms)} ({', '.join(filter(None, parts))})"
        yield f"Set-up of {name} takes {whole}; a later call {later}."
    else:
        yield f"The first call of {name} takes {_time(first_ms)}; a later call {later}."
    if cold_ms is not None:
        yield f"Without code from earlier, torch compiles {name} for {_time(cold_ms)}."


def _cold_ms(found: ProfiledRun, problem: Problem, name: str) -> float | None:
    """The time of compiling in the profile's process; None without a compilation or a profile."""
    own = (problem, name)
    profiles = (each for each in found.profiles if (each.problem, each.implementation) == own)
    return next((each.compile_ms for each in profiles), None)


def _paid(name: str, other: str, paid: Paid) -> str:
    if paid.outcome == "never":
        return (
            f"Set-up of {name} never pays for itself against {other}: its calls are not shown to "
            "be faster."
        )
    if paid.outcome == "at once":
        return f"{name} is ahead of {other} from the first call: its set-up takes no longer."
    return f"Set-up of {name} has paid for itself against {other} after {calls(paid)}."


def calls(paid: Paid) -> str:
    """As "412 calls [380, 450]"."""
    if paid.calls is None:
        return ""
    if paid.calls > MOST_CALLS:
        return f"more than {MOST_CALLS:,} calls"
    ends = (
        ""
        if paid.low is None or paid.high is None
        else f" [{_whole(paid.low)}, {_whole(paid.high)}]"
    )
    count = _whole(paid.calls)
    return f"{count} {'call' if count == '1' else 'calls'}{ends}"


def _whole(value: float) -> str:
    return f"{round(value):,}" if value <= MOST_CALLS else f">{MOST_CALLS:,}"


def _time(ms: float) -> str:
    return f"{milliseconds(ms / 1000)} s" if ms >= _SECOND else f"{milliseconds(ms)} ms"


def _compilations(row: Measurement) -> str:
    if not row.compilations:
        return ""
    count = row.compilations
    text = (
        counted(int(count), "compilation")
        if count == int(count)
        else f"{number(count)} compilations"
    )
    return f"{text} of {_time(row.compile_ms)}" if row.compile_ms is not None else text


def _rows(found: ProfiledRun, row: SetUpRow) -> Iterator[Row]:
    for own, paid in ((row.own, row.paid), (row.other, row.baseline)):
        if own is not None:
            cold_ms = _cold_ms(found, row.profile.problem, own.implementation)
            yield _cells(row.profile.problem, own, paid, cold_ms)


def _cells(problem: Problem, row: Measurement, paid: Paid | None, cold: float | None) -> Row:
    return Row(
        (
            Value(str(problem)),
            Value(row.implementation),
            figure(row.prepare_ms, milliseconds(row.prepare_ms), NONE),
            figure(row.first_call_ms, milliseconds(row.first_call_ms)),
            figure(row.median_ms, milliseconds(row.median_ms)),
            _paid_cell(paid),
            figure(row.compilations, number(row.compilations), NONE),
            figure(row.compile_ms, milliseconds(row.compile_ms), NONE),
            figure(cold, milliseconds(cold), NONE),
        ),
        facets(problem, row.implementation),
    )


def _paid_cell(paid: Paid | None) -> Value:
    if paid is None:
        return Value("")
    if paid.outcome == "paid":
        return figure(paid.calls, calls(paid).replace(" calls", "").replace(" call", ""))
    return Value(paid.outcome, 1.0 if paid.outcome == "at once" else math.inf)
