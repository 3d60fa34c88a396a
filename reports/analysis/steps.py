"""Time in attention per step: of every implementation, of the best one and of the best mix.

A step is the cases of a plan that share `Case.step`. Its time is the sum of count times time over
these cases, summed in each session. docs/measuring.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from reports.analysis.sums.estimates import estimated
from reports.analysis.sums.rows import StepCase, StepRow
from reports.analysis.sums.summing import Sums
from reports.analysis.sums.times import Timed, Times, Untimed
from reports.rows.panels import APPROXIMATIONS, MODELS, panels_of
from suites.records.cases import Case, Step

if TYPE_CHECKING:
    from reports.analysis.run_analysis import Analysis

_OTHERS: Final = (MODELS, APPROXIMATIONS)
"""Panels that answer no step of a script."""


def steps(analysis: Analysis) -> list[StepRow]:
    """A row for each step and number of threads; empty without steps, and for a check."""
    plan = analysis.plan
    if not plan.sessions:
        return []
    panel = _panel(analysis)
    recorded = {each.name: each for each in plan.steps}
    return [
        _row(Times(analysis, threads, panel), panel, step, recorded.get(step), cases)
        for step, cases in _by_step(plan.cases, recorded)
        for threads in plan.threads
    ]


def _by_step(cases: Sequence[Case], recorded: Iterable[str]) -> list[tuple[str, list[Case]]]:
    """The cases by step, recorded steps first; cases of no step are left out."""
    found: dict[str, list[Case]] = {name: [] for name in recorded}
    for case in cases:
        if case.step:
            found.setdefault(case.step, []).append(case)
    return list(found.items())


def _panel(analysis: Analysis) -> str:
    """The first panel with times, attention before layers; not of models and approximations."""
    timed = {row.panel for row in analysis.measurements}
    every = [each for each in panels_of(analysis.plan) if not each.startswith(_OTHERS)]
    return next((each for each in every if each in timed), next(iter(every), ""))


def _row(
    times: Times, panel: str, step: str, recorded: Step | None, cases: Sequence[Case]
) -> StepRow:
    every = [times.of(case) for case in cases]
    timed = [each for each in every if isinstance(each, Timed)]
    row = StepRow(
        step=step,
        threads=times.threads,
        panel=panel,
        cases=tuple(map(_case, timed)),
        left_out=tuple(each for each in every if isinstance(each, Untimed)),
        took_ms=median(recorded.took_ms) if recorded and recorded.took_ms else None,
        unexpressed=recorded.unexpressed if recorded else (),
    )
    return Sums(times, timed, row.took_ms).into(row) if timed else row


def _case(timed: Timed) -> StepCase:
    found = {
        name: estimated(own[np.isfinite(own)].tolist(), timed.errors.get(name, 0.0))
        for name, own in timed.ms.items()
    }
    ordered = dict(sorted(found.items(), key=lambda each: each[1].value))
    return StepCase(case=timed.case, times=ordered, current=timed.current, between=timed.between)
