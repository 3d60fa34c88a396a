"""Cases and steps as data: nested for JSON, as rows of columns for tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import starmap
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.estimates import Estimate
from reports.analysis.sums.rows import StepCase, StepRow, StepSum
from reports.views.steps import lines
from suites.records.cases import Case

SUM_COLUMNS: Final = (
    "step", "threads", "of", "implementation", "ms", "low_ms", "high_ms", "sessions",
    "saved_ms", "saved_low_ms", "saved_high_ms",
    "saved_share", "saved_share_low", "saved_share_high", "took_ms",
)  # fmt: skip
"""`of` is now, alone or mix. A mix has its implementations separated by commas."""
CASE_COLUMNS: Final = (
    "step", "threads", "problem", "label", "source", "count", "scaled", "took_ms", "by", "now",
    "now_ms", "mix", "mix_ms", "interpolated_from", "reason",
)  # fmt: skip
"""`now_ms` and `mix_ms` are of all calls of the case in one step; `reason`: why it has no time."""


def has_cases(analysis: Analysis) -> bool:
    """Whether the run has cases that say more than their problems."""
    return any(not case.is_plain for case in analysis.plan.cases)


def of_cases(analysis: Analysis) -> dict[str, Any]:
    """The cases and the steps of a run, for JSON; empty for a run without."""
    if not has_cases(analysis):
        return {}
    found = zip(analysis.steps, lines(analysis), strict=True)
    return {
        "cases": list(map(_case, analysis.plan.cases)),
        "steps": list(starmap(_step, found)),
    }


def sum_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """A row for every sum of every step, with SUM_COLUMNS."""
    return [_sum_row(row, each) for row in analysis.steps for each in row.sums]


def case_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """A row for every case of every step and number of threads, with CASE_COLUMNS."""
    return [each for row in analysis.steps for each in _case_rows(row)]


def _case(case: Case) -> dict[str, Any]:
    return {**asdict(case), "problem": str(case.problem)}


def _step(row: StepRow, sentences: list[str]) -> dict[str, Any]:
    return {
        "step": row.step,
        "threads": row.threads,
        "took_ms": row.took_ms,
        "sentences": sentences,
        "cases": [_timed(each) for each in row.cases],
        "left_out": [{**_case(each.case), "reason": each.reason} for each in row.left_out],
        "unexpressed": [asdict(each) for each in row.unexpressed],
        "now": row.now and _sum(row.now),
        "best": row.best and _sum(row.best),
        "mix": row.mix and _sum(row.mix),
        "mix_saving": row.mix_saving and asdict(row.mix_saving),
        "alone": list(map(_sum, row.alone)),
        "lacking": [
            {"implementation": each.name, "cases": list(map(_case, each.cases))}
            for each in row.lacking
        ],
    }


def _timed(each: StepCase) -> dict[str, Any]:
    return {
        **_case(each.case),
        "now": each.current,
        "interpolated_from": [str(problem) for problem in each.between or ()],
        "call_ms": {name: asdict(found) for name, found in each.times.items()},
    }


def _sum(found: StepSum) -> dict[str, Any]:
    return {
        "implementations": list(found.names),
        "ms": asdict(found.time),
        "by_case_ms": list(found.by_case),
        "saving": found.saving and asdict(found.saving),
    }


def _sum_row(row: StepRow, found: StepSum) -> dict[str, Any]:
    saving = found.saving
    ms = saving.ms if saving else None
    of = (saving.of_step or saving.share) if saving else None
    return {
        "step": row.step,
        "threads": row.threads,
        "of": found.kind,
        "implementation": ", ".join(dict.fromkeys(found.names)),
        **_columns(found.time, "ms", "low_ms", "high_ms"),
        "sessions": found.time.sessions,
        **_columns(ms, "saved_ms", "saved_low_ms", "saved_high_ms"),
        **_columns(of, "saved_share", "saved_share_low", "saved_share_high"),
        "took_ms": row.took_ms,
    }


def _columns(found: Estimate | None, *names: str) -> dict[str, float | None]:
    values = (found.value, found.low, found.high) if found else (None, None, None)
    return dict(zip(names, values, strict=True))


def _case_rows(row: StepRow) -> Iterator[dict[str, Any]]:
    start = {"step": row.step, "threads": row.threads}
    for place, each in enumerate(row.cases):
        yield {
            **start,
            **_case(each.case),
            "now": each.current,
            "now_ms": row.now.by_case[place] if row.now else None,
            "mix": row.mix.names[place] if row.mix else "",
            "mix_ms": row.mix.by_case[place] if row.mix else None,
            "interpolated_from": ", ".join(map(str, each.between or ())),
            "reason": "",
        }
    for left in row.left_out:
        blank = dict.fromkeys(CASE_COLUMNS[9:])
        yield {**blank, **start, **_case(left.case), "reason": left.reason}
