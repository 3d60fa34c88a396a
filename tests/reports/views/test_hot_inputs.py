"""Where hot calls on a GPU find their inputs, among the facts of a run."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Problem
from reports.views.machine import _hot_inputs, _memory_limits
from suites.records.plan import Entry, Plan
from suites.records.record import Record

SMALL, LARGE = (Problem.parse(f"b1 h4 t{length} d64 full bf16 cuda") for length in (128, 4096))


def timed(problem: Problem) -> Record:
    return Record(
        session=1, problem=problem, implementation="a", status="ok", times_ms=(1.0,), clock="events"
    )


def test_problems_are_counted_by_where_their_inputs_are() -> None:
    records = [
        replace(timed(SMALL), inputs_from="L2"),
        replace(timed(LARGE), inputs_from="memory"),
        replace(timed(LARGE), implementation="b", inputs_from="memory"),
    ]
    name = "inputs of hot calls on a GPU"
    assert _hot_inputs(records) == [
        (name, "from memory on 1 problem, from the L2 cache on 1 problem")
    ]
    assert _hot_inputs(records[1:]) == [(name, "from memory on 1 problem")]


def test_runs_on_a_cpu_have_no_line_on_it() -> None:
    assert _hot_inputs([timed(replace(SMALL, device="cpu"))]) == []


def test_a_run_on_two_kinds_of_device_states_both_memory_limits() -> None:
    plan = Plan(
        suite="x",
        problems=(replace(SMALL, device="cpu"), SMALL),
        entries=(Entry(name="a"),),
        sessions=1,
        seed=0,
        round_budget_ms=400,
        memory_limit=2 << 30,
        device_memory_limit=64 << 30,
        threads=(2,),
    )
    assert _memory_limits(plan) == [
        ("memory limit on cpu", "2 GiB that one call may add"),
        ("memory limit on cuda", "64 GiB that one call may add"),
    ]
    one = replace(plan, problems=(SMALL,))
    assert _memory_limits(one) == [("memory limit", "64 GiB that one call may add")]
