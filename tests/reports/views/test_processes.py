"""The sentences about implementations that have a process of their own."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.run_analysis import Analysis
from reports.views.processes import sentences
from suites.records.plan import Entry
from suites.records.store import Run
from tests.reports.analysis.test_processes import split


def test_each_process_is_named_with_its_reason_and_the_noise_between_them() -> None:
    run, records = split()
    base, other = run.plan.entries
    named = _with(run, base, replace(other, process="other", apart="its thread pool spins"))
    first, between = sentences(Analysis(named, records))
    assert first == "other has a process of its own: its thread pool spins."
    assert between.startswith("Calls of all processes alternate in the same rounds.")
    assert between.endswith(" %.")


def test_another_python_is_named_with_its_versions() -> None:
    run, records = split()
    base, other = run.plan.entries
    elsewhere = replace(
        other,
        process="by /opt/python",
        python="/opt/python",
        environment="Python 3.12.1, torch 2.11",
    )
    first, _ = sentences(Analysis(_with(run, base, elsewhere), records))
    assert first == "other has a process of its own: Python 3.12.1, torch 2.11 measures it."


def test_runs_of_one_process_say_nothing() -> None:
    run, records = split()
    shared = [replace(each, process="", again_ms=()) for each in records]
    assert list(sentences(Analysis(run, shared))) == []


def _with(run: Run, *entries: Entry) -> Run:
    return replace(run, plan=replace(run.plan, entries=entries))
