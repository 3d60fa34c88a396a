"""The best mix of a run of cases as data: which implementation for which problem.

`mix` has the problems whose implementation changes: `problem`, `implementation`, and what it
replaces as `now`. `steps` has for each step its name as `step`, `threads`, `took_ms`, the time in
attention as `now`, `mix_saves`, and `changes`: each implementation put in place of another one for
some problems, alone. A figure has `ms` with the ends `low` and `high` of a 95 % interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from impls.interface import Problem
from reports.analysis.sums.estimates import Estimate
from reports.analysis.sums.rows import StepRow, Substitution

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis


def data(analysis: Analysis) -> dict[str, Any]:
    """The lists of a run of cases; empty for another run."""
    rows = [row for row in analysis.steps if row.threads == analysis.most_threads]
    if not rows:
        return {}
    changes = {each["problem"]: each for row in rows for each in _mix(row)}
    return {"mix": list(changes.values()), "steps": [_step(row) for row in rows]}


def read(found: Iterable[Mapping[str, Any]]) -> dict[Problem, str]:
    """The implementation of each problem. Raises KeyError or ValueError for other data."""
    return {Problem.parse(each["problem"]): str(each["implementation"]) for each in found}


def doubts(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each step whose mix is not shown to save time. Raises KeyError as `read`."""
    found = ((each["step"], each["mix_saves"]) for each in steps)
    return [
        f"{step}: its mix is not shown to save time, {_saves(saves)}"
        for step, saves in found
        if saves and saves["ms"] and not (saves["low"] or 0) > 0
    ]


def _saves(of: Mapping[str, float | None]) -> str:
    ends = "" if of["low"] is None else f" [{of['low']:.3g}, {of['high']:.3g}]"
    return f"{of['ms']:.3g} ms{ends}"


def _mix(row: StepRow) -> Iterator[dict[str, str]]:
    if row.mix is None:
        return
    for case, name in zip(row.cases, row.mix.names, strict=True):
        if name != case.current:
            yield {
                "problem": case.case.problem.key(),
                "implementation": name,
                "now": case.current,
            }


def _step(row: StepRow) -> dict[str, Any]:
    saving = row.mix.saving if row.mix else None
    return {
        "step": row.step,
        "threads": row.threads,
        "took_ms": row.took_ms,
        "now": _figure(row.now.time) if row.now else None,
        "mix_saves": _figure(saving.ms) if saving else None,
        "changes": [_change(row, each) for each in row.single_changes],
    }


def _change(row: StepRow, change: Substitution) -> dict[str, Any]:
    cases = [row.cases[each].case for each in change.cases]
    return {
        "problems": list(dict.fromkeys(case.problem.key() for case in cases)),
        "places": list(dict.fromkeys(case.label for case in cases)),
        "calls": sum(case.count for case in cases),
        "now": change.now,
        "implementation": change.name,
        "saves": _figure(change.saving.ms),
    }


def _figure(of: Estimate) -> dict[str, float | None]:
    return {"ms": of.value, "low": of.low, "high": of.high}
