"""The tasks of a run: what a recorded script adds to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Problem
from suites.engine.tasks import Tasks
from suites.measure.rounds import FEWEST_IN_LAYERS
from suites.records.cases import Case, Step
from tests.saved_run import timed_run

PROBLEM = Problem.parse("h1 t64 full fp32 cpu")


@pytest.mark.parametrize("recorded", [False, True])
def test_the_calls_of_a_recorded_script_are_timed_in_a_layer(*, recorded: bool) -> None:
    cases = (Case(problem=PROBLEM, step="step", count=1),)
    steps = (Step(name="step"),) if recorded else ()
    run, _ = timed_run(lambda *_: 1.0, cases, steps=steps)
    (task,) = Tasks(run, lambda _: None).measure(1, PROBLEM, ["naive"], ()).values()
    assert task.in_layer is recorded
    assert task.fewest_rounds == (FEWEST_IN_LAYERS if recorded else 0)


def test_only_the_process_that_leads_has_layers() -> None:
    cases = (Case(problem=PROBLEM, step="step", count=1),)
    run, _ = timed_run(lambda *_: 1.0, cases, steps=(Step(name="step"),))
    apart = [replace(e, process=e.name if e.name == "naive" else "") for e in run.plan.entries]
    run = replace(run, plan=replace(run.plan, entries=tuple(apart)))
    tasks = Tasks(run, lambda _: None).measure(1, PROBLEM, ["sdpa_flash", "naive"], ())
    assert [each.in_layer for each in tasks.values()] == [
        each.role == "leads" for each in tasks.values()
    ]
    assert len(tasks) > 1
