"""What the page and the terminal say about an NVIDIA device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.views import disturbance, limitations
from reports.views.machine import ABSENT, facts, machine_facts
from reports.views.nvidia import nvidia_session_facts, sentences
from suites.measure.nvidia_facts import NO_PACKAGE
from suites.records.facts import SessionFacts, WarmUp
from suites.records.record import Conditions, Record
from suites.records.store import Run
from tests.saved_run import small_run

ON_CUDA = Problem.parse("b1 h4 t512 d64 causal bf16 cuda")
DRIVER: dict[str, Any] = {
    "driver": "580.65.06",
    "power_limit_w": 500.0,
    "default_power_limit_w": 700.0,
    "max_sm_mhz": 1980,
    "application_sm_mhz": None,
    "persistence": "on",
    "compute_mode": "default",
    "ecc": "on",
    "mig": None,
}
MACHINE: dict[str, Any] = {
    "devices": [
        {
            "device": "cuda",
            "name": "NVIDIA H200",
            "uuid": "1a2b",
            "chosen": "1",
            "capability": [9, 0],
            "memory_bytes": 139 << 30,
            "multiprocessors": 132,
            "l2_bytes": 50 << 20,
        },
        {"device": "cpu", "name": "a CPU"},
    ],
    "other_devices": [{"name": "NVIDIA H200", "uuid": "3c4d", "index": 0}],
    "nvidia": DRIVER,
}


def run_on_cuda(states: list[dict[str, Any]], **machine: Any) -> tuple[Run, list[Record]]:
    """A run on CUDA; its rounds have these states of the device."""
    run, records = small_run(problems=[ON_CUDA])
    run = replace(run, machine={**run.machine, **MACHINE, **machine})
    conditions = Conditions(
        disturbed=("",) * len(states), device=tuple(states), probe_ms=(1.0,) * len(states)
    )
    made = [
        replace(record, times_ms=(1.0,) * len(states), twin_ms=(), conditions=conditions)
        for record in records
        if record.times_ms
    ]
    assert made
    return run, [*(record for record in records if not record.times_ms), *made]


def test_the_facts_of_a_device_name_it_and_those_that_are_not_used() -> None:
    found = dict(machine_facts(MACHINE))
    assert found["NVIDIA device"] == "cuda:1, UUID 1a2b"
    assert found["cuda:0, not used"] == "NVIDIA H200, UUID 3c4d"
    assert found["SMs"] == "132"
    assert found["L2 cache"] == "50 MiB"
    assert found["NVIDIA driver"] == "580.65.06"
    assert found["power limit"] == "500 W; as delivered 700 W"
    assert found["MIG"] == "not reported"
    assert "nvidia" not in found


def test_a_machine_without_such_a_device_has_none_of_these_facts() -> None:
    found = dict(machine_facts({"devices": [{"device": "cpu", "name": "a CPU"}]}))
    assert not any("NVIDIA" in name or "power" in name for name in found)
    assert found["cores"] == ABSENT


def test_a_device_of_an_older_run_has_the_facts_it_has() -> None:
    old = {"devices": [{"device": "cuda", "name": "NVIDIA H100", "capability": [9, 0]}]}
    assert "NVIDIA device" not in dict(machine_facts(old))


def test_that_nothing_was_read_is_said_once() -> None:
    unread = {"unread": NO_PACKAGE}
    analysis = Analysis(*run_on_cuda([{"reasons": ()}] * 2, nvidia=unread))
    expected = f"C{NO_PACKAGE[1:]}."
    assert sentences(analysis) == [expected]
    assert limitations.sentences(analysis).count(expected) == 1
    assert dict(facts(*run_on_cuda([{}], nvidia=unread)))["NVIDIA driver"] == NO_PACKAGE


@pytest.mark.parametrize(
    ("states", "capped"),
    [
        ([{"reasons": ["power cap"]}, {"reasons": []}], 1),
        ([{"reasons": [], "throttled_ms": {"power cap": 3.0}}] * 2, 2),
        ([{"reasons": None, "throttled_ms": None}], 0),
        ([{"reasons": ["idle"], "throttled_ms": {"power cap": 0.0}}], 0),
    ],
)
def test_rounds_under_the_power_cap_are_counted(states: list[dict[str, Any]], capped: int) -> None:
    analysis = Analysis(*run_on_cuda(states))
    sessions = analysis.plan.sessions
    said = (
        f"The power cap (500 W) reduced the clocks in {capped * sessions} of "
        f"{len(states) * sessions} rounds: usual under load, and not counted as a disturbance."
    )
    assert sentences(analysis) == ([said] if capped else [])


def test_a_run_on_a_cpu_says_nothing_about_a_gpu() -> None:
    run, records = small_run()
    with_gpu = replace(run, machine={**run.machine, **MACHINE, "nvidia": {"unread": NO_PACKAGE}})
    assert sentences(Analysis(with_gpu, records)) == []
    assert disturbance.definition(run.plan) == disturbance.DEFINITION
    assert "power brake" in disturbance.definition(run_on_cuda([{}])[0].plan)


def test_warm_up_variables_and_a_changed_power_cap_are_shown() -> None:
    run, _ = run_on_cuda([{}])
    warmed = SessionFacts(
        session=1,
        warm_up=WarmUp(seconds=10.04, before_c=41, after_c=None),
        nvidia=DRIVER,
        environment={"CUDA_LAUNCH_BLOCKING": "1", "OMP_NUM_THREADS": "2"},
    )
    capped = SessionFacts(session=2, nvidia={**DRIVER, "power_limit_w": 350.0})
    found = dict(nvidia_session_facts(replace(run, facts=(warmed, capped))))
    assert found == {
        "thermal warm-up": "10.0 s before session 1, from 41 °C to not reported",
        "CUDA_LAUNCH_BLOCKING": "1",
        "power limit of sessions": "500 W, 350 W: it changed within the run",
    }
