"""The section of a profile's page: set-up, and after how many calls it has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.set_up import Paid, SetUpRow, set_up_rows
from reports.rows.measurements import Measurement
from reports.views.numbers import milliseconds, number
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from reports.views.values import figure
from suites.records.profile import Profile

HEADING: Final = "Set-up and later calls"
MOST_SENTENCES: Final = 3
"""Problems with sentences of their own; the table has all."""
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
    several = len({row.profile.problem for row in rows}) > 1
    said = [
        f"{row.profile.problem}: {each}" if several else each
        for row in rows[:MOST_SENTENCES]
        for each in sentences(row, row.profile.compile_ms)
    ]
    table = Table(
        _CAPTION,
        _HEAD,
        tuple(each for row in rows for each in _rows(found, row)),
        shown=len(_HEAD),
        names=_NAMES,
    )
    return [Section("set-up", HEADING, sentences=tuple(said), tables=(table,))]


def sentences(row: SetUpRow, cold_ms: float | None) -> Iterator[str]:
    """What set-up takes, and after how many calls it has paid for itself."""
    name = abbreviated(row.profile.implementation)
    yield f"Set-up of {name} takes {_set_up(row.own)}; a later call takes {_ms(row.own.median_ms)}."
    if cold_ms is not None:
        yield f"Without code from earlier, torch compiles for {_ms(cold_ms)}."
    if row.other is None or row.paid is None or row.baseline is None:
        return
    other = abbreviated(row.other.implementation)
    yield _paid(name, other, row.paid)
    if row.paid.outcome == "never" and row.baseline.outcome == "paid":
        yield _paid(other, name, row.baseline)


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


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms"


def _set_up(row: Measurement) -> str:
    """As "812 ms (preparing 800 ms, first call 12.0 ms, 1 compilation)"."""
    prepare_ms, first_ms = row.prepare_ms, row.first_call_ms
    parts = [
        f"preparing {_ms(prepare_ms)}" if prepare_ms is not None else "",
        f"first call {_ms(first_ms)}" if first_ms is not None else "",
        _compilations(row),
    ]
    whole = (prepare_ms or 0.0) + (first_ms or 0.0)
    return f"{_ms(whole)} ({', '.join(filter(None, parts))})"


def _compilations(row: Measurement) -> str:
    if not row.compilations:
        return ""
    count = row.compilations
    text = (
        counted(int(count), "compilation")
        if count == int(count)
        else f"{number(count)} compilations"
    )
    return f"{text} of {_ms(row.compile_ms)}" if row.compile_ms is not None else text


def _rows(found: ProfiledRun, row: SetUpRow) -> Iterator[Row]:
    yield _cells(row.profile, row.own, row.paid, row.profile.compile_ms)
    if row.other is not None:
        name = row.other.implementation
        cold = next(
            (
                each.compile_ms
                for each in found.profiles
                if each.implementation == name and each.problem == row.profile.problem
            ),
            None,
        )
        yield _cells(row.profile, row.other, row.baseline, cold)


def _cells(profile: Profile, row: Measurement, paid: Paid | None, cold: float | None) -> Row:
    return Row(
        (
            Value(str(profile.problem)),
            Value(row.implementation),
            figure(row.prepare_ms, milliseconds(row.prepare_ms), NONE),
            figure(row.first_call_ms, milliseconds(row.first_call_ms)),
            figure(row.median_ms, milliseconds(row.median_ms)),
            _paid_cell(paid),
            figure(row.compilations, number(row.compilations), NONE),
            figure(row.compile_ms, milliseconds(row.compile_ms), NONE),
            figure(cold, milliseconds(cold), NONE),
        ),
        facets(profile.problem, row.implementation),
    )


def _paid_cell(paid: Paid | None) -> Value:
    if paid is None:
        return Value("")
    if paid.outcome == "paid":
        return figure(paid.calls, calls(paid).replace(" calls", "").replace(" call", ""))
    return Value(paid.outcome, 1.0 if paid.outcome == "at once" else math.inf)
