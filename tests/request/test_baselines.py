"""The default baseline of each device: a kernel of a vendor that accepts every problem."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import impls
from impls.interface import Implementation
from suites.engine.describe import entry_of
from suites.records.codec import from_json, to_data, to_json
from suites.records.plan import Entry, Plan
from suites.request.baselines import VENDORS, by_device
from suites.request.planning import Request, plan_of, requested
from suites.request.suites import SUITES

CORES = 2
CPU: dict[str, Any] = {"device": "cpu"}


def cuda(*capability: int) -> dict[str, Any]:
    return {"device": "cuda", "capability": list(capability), "memory_bytes": 80 << 30}


@cache
def found() -> tuple[Entry, ...]:
    files = [path for path in impls.own_files() if Path(path).stem != "xformers"]
    every = impls.load(files).values()
    return tuple(entry_of(each) for each in every if isinstance(each, Implementation))


def planned(
    *devices: dict[str, Any], suite: str = "quick", given: dict[str, Any] | None = None
) -> Plan:
    request: Request = requested(SUITES[suite], given or {})
    return plan_of(request, {"devices": list(devices)}, found(), CORES)


def timed(plan: Plan) -> dict[str, list[str]]:
    """By problem: the implementations of attention whose limits accept it."""
    return {
        str(problem): [
            entry.name
            for entry in plan.entries
            if entry.panel == "attention" and not entry.refusals(problem, plan.capability)
        ]
        for problem in plan.problems
    }


@pytest.mark.parametrize("suite", ["quick", "scaling"])
def test_the_baseline_of_a_cpu_is_sdpa_flash(suite: str) -> None:
    plan = planned(CPU, suite=suite)
    assert plan.wanted_baselines == {"cpu": ["sdpa_flash"]}


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0), (10, 0)])
@pytest.mark.parametrize("suite", ["quick", "scaling"])
def test_one_vendor_kernel_is_the_baseline_of_every_problem_on_a_gpu(
    suite: str, capability: tuple[int, int]
) -> None:
    plan = planned(cuda(*capability), CPU, suite=suite)
    problems = [problem for problem in plan.problems if problem.device == "cuda"]
    able = timed(plan)
    chosen = {plan.baseline_of(able[str(problem)], "cuda") for problem in problems}
    assert len(chosen) == 1
    assert chosen < set(VENDORS)


def test_every_device_has_its_own_baseline() -> None:
    plan = planned(cuda(8, 0), CPU, given={"--problem": ["t64 cpu", "t64 window:8 fp32 cuda"]})
    assert plan.wanted_baselines == {"cpu": ["sdpa_flash"], "cuda": ["sdpa_efficient"]}
    for problem in plan.problems:
        assert plan.twin_of(timed(plan)[str(problem)], problem.device) == plan.wanted_baseline(
            problem
        )


def test_where_the_baseline_refuses_a_problem_the_next_vendor_kernel_replaces_it() -> None:
    many = ["b1 h8 t512 d64 bf16", "b1 h8 t1024 d64 bf16", "b1 h8/2 t512 d64 window:8 fp32"]
    plan = planned(cuda(8, 0), CPU, given={"--problem": many, "--impl": ["chunked", *VENDORS]})
    entries = tuple(e for e in plan.entries if e.name in ("chunked", "sdpa_flash", "sdpa_math"))
    wanted = by_device(entries, plan.problems, plan.capability)
    assert wanted == {"cuda": ("sdpa_math", "sdpa_flash")}
    flash_first = {"cuda": ("sdpa_flash", "sdpa_math")}
    assert plan.baseline_of(["chunked", "sdpa_math"], "cuda") == "sdpa_math"
    assert by_device(entries, plan.problems[:2], plan.capability) == flash_first


def test_the_baseline_of_against_precedes_every_other() -> None:
    plan = planned(cuda(9, 0), CPU, given={"--against": "naive"})
    assert plan.wanted_baselines == {"cuda": ["naive"]}
    assert plan.baseline_of(["sdpa_flash", "sdpa_math", "naive"], "cuda") == "naive"
    assert plan.baseline_of(["chunked", "sdpa_math"], "cuda") == "sdpa_math"


def test_a_kernel_that_is_missing_is_no_baseline() -> None:
    gone = tuple(Entry(name=name, missing="gone") for name in VENDORS)
    assert by_device(gone, planned(CPU).problems, None) == {"cpu": ()}


def test_a_plan_of_an_older_version_keeps_its_baseline() -> None:
    data = to_data(planned(CPU))
    del data["baselines"]
    old = from_json(Plan, to_json({**data, "baseline": "sdpa_flash"}))
    assert old.baselines == {}
    assert old.baseline_of(["naive", "sdpa_flash"], "cpu") == "sdpa_flash"
    assert old.wanted_baselines == {"cpu": ["sdpa_flash"]}


def test_a_problem_with_ranks_has_ring_as_its_baseline() -> None:
    plan = planned(CPU, suite="ranks")
    able = timed(plan)
    chosen = {plan.baseline_of(able[str(problem)], "cpu") for problem in plan.problems}
    assert chosen == {"ring"}


def test_ranks_do_not_change_the_baseline_of_problems_without() -> None:
    plan = planned(CPU, given={"--problem": ["h2 t64 cpu", "h2 t64 ranks2 cpu"]})
    able = timed(plan)
    alone, in_group = plan.problems
    assert plan.baseline_of(able[str(alone)], "cpu") == "sdpa_flash"
    assert plan.baseline_of(able[str(in_group)], "cpu") == "ring"
