"""Time in attention per step: a stacked chart, the sums, and the cases with their sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.estimates import Estimate, Saving
from reports.analysis.sums.rows import StepCase, StepRow, StepSum
from reports.views.cases import title, whole
from reports.views.charts.steps import step_charts
from reports.views.numbers import milliseconds
from reports.views.problems import facets
from reports.views.sections import Row, Section, Table, Value
from reports.views.steps import HEADING, label, notes, put_in, share
from reports.views.text import abbreviated, capitalized
from suites.records.cases import Case

ORDER: Final = -1
SUMS: Final = ("implementation", "ms per step", "95 %", "saves ms", "saves [95 %]")
CASES: Final = (
    "case",
    "calls per step",
    "now ms per step",
    "best mix ms",
    "best mix uses",
    "now by",
    "ms of a call now",
    "problem",
    "measured",
    "source",
    "differs from it",
    "recorded ms",
)


def section(analysis: Analysis) -> Section | None:
    """One chart and two tables for each step; None for a run without steps."""
    if not analysis.steps:
        return None
    return Section(
        id="steps",
        heading=HEADING,
        sentences=tuple(
            f"{label(row, analysis)}. {' '.join(found)}"
            for row in analysis.steps
            if (found := [*notes(row), *put_in(row, analysis)])
        ),
        charts=tuple(step_charts(analysis)),
        tables=tuple(table for row in analysis.steps for table in _tables(analysis, row)),
        early=True,
    )


def _tables(analysis: Analysis, row: StepRow) -> Iterator[Table]:
    step = capitalized(label(row, analysis))
    if row.now is not None:
        part = "of the step" if row.took_ms else "of the time in attention"
        caption = f"{step}: time in attention of one step; savings are against now, {part}."
        yield Table(caption, SUMS, tuple(_sums(row)))
    if cases := tuple(_cases(row)):
        yield Table(f"{step}: its cases.", CASES, cases, shown=5)


def _sums(row: StepRow) -> Iterator[Row]:
    """A row for what the cases have now, for the best mix, and for each one alone."""
    if row.now is not None:
        yield _sum("now", row.now)
    if row.mix is not None:
        yield _sum("best mix", row.mix)
    for each in row.alone:
        yield _sum(each.name, each)
    for lacking in row.lacking:
        count = f"lacks {len(lacking.cases)} of {len(row.cases)} cases"
        cells = (Value(lacking.name), *(Value(text) for text in ("", count, "", "")))
        yield Row(cells, {"implementation": lacking.name})


def _sum(name: str, found: StepSum) -> Row:
    cells = (
        Value(name),
        Value(milliseconds(found.time.value), found.time.value),
        Value(_between(found.time)),
        *_saved(found.saving),
    )
    return Row(cells, {"implementation": name} if found.kind == "alone" else {})


def _saved(found: Saving | None) -> tuple[Value, Value]:
    if found is None:
        return Value(""), Value("")
    part = found.of_step or found.share
    return Value(milliseconds(found.ms.value), found.ms.value), Value(share(part), part.value)


def _between(found: Estimate) -> str:
    if found.low is None:
        return ""
    return f"{milliseconds(found.low)} to {milliseconds(found.high)}"


def _cases(row: StepRow) -> Iterator[Row]:
    for place, each in enumerate(row.cases):
        yield _case(row, place, each)
    for left in row.left_out:
        case = left.case
        words = ("", "", "", "", "", str(case.problem), left.reason, *_origin(case))
        cells = (Value(title(case)), Value(whole(case.count), case.count), *map(Value, words))
        yield Row((*cells, _recorded(case)), facets(case.problem))


def _case(row: StepRow, place: int, each: StepCase) -> Row:
    case, now, mix = each.case, row.now, row.mix
    call = each.times[each.current]
    cells = (
        Value(title(case)),
        Value(whole(case.count), case.count),
        _ms(now.by_case[place] if now else None),
        _ms(mix.by_case[place] if mix else None),
        Value(abbreviated(mix.names[place]) if mix else ""),
        Value(abbreviated(each.current)),
        _ms(call.value),
        Value(str(case.problem)),
        Value(_measured(each)),
        *map(Value, _origin(case)),
        _recorded(case),
    )
    return Row(cells, facets(case.problem))


def _measured(each: StepCase) -> str:
    """How its times were obtained: measured, or interpolated from t512 and t1024."""
    if each.between is None:
        return "yes"
    ends = " and ".join(f"t{problem.key_length}" for problem in each.between)
    return f"interpolated from {ends}"


def _origin(case: Case) -> tuple[str, str]:
    return case.source, case.scaled


def _recorded(case: Case) -> Value:
    """One call where it was recorded."""
    return _ms(case.took_ms)


def _ms(value: float | None) -> Value:
    return Value(milliseconds(value), float("nan") if value is None else value)
