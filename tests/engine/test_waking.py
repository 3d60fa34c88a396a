"""CUDA starts before an implementation is at work, and its threads may use every CPU."""

from __future__ import annotations

import os

import pytest

from impls.interface import Problem
from suites.engine import waking
from suites.engine.protocol import ReadInstruments, Wait
from tests.engine.real_sessions import records_of
from tests.stand_in.device import stand_in

CPUS = len(os.sched_getaffinity(0))
CPU, CUDA = "b1 h2 t32 d16 full fp32 train cpu", "b1 h2 t32 d16 full fp32 train cuda"


@pytest.mark.skipif(CPUS < 2, reason="with one CPU every thread has all CPUs")
def test_kernels_are_launched_from_any_cpu_and_cpu_problems_stay_bound() -> None:
    found = records_of("device_threads.py", problems=(CPU, CUDA))["reports_cpus"]
    reasons = {record.problem: record.reason for record in found if record.session == 1}
    assert reasons == {
        Problem.parse(CPU): "RuntimeError: main 1, autograd []",
        Problem.parse(CUDA): f"RuntimeError: main {CPUS}, autograd [{CPUS}]",
    }


@pytest.fixture
def not_started() -> None:
    waking._start_cuda.cache_clear()


@pytest.mark.usefixtures("not_started")
def test_a_task_on_cuda_starts_it_once_with_a_backward_pass() -> None:
    task = ReadInstruments(known_bytes=1, device="cuda")
    with stand_in() as runtime:
        with waking.devices_of(task):
            launched = runtime.launched
        assert launched > 3
        assert runtime.synchronized
        with waking.devices_of(task):
            assert runtime.launched == launched


@pytest.mark.usefixtures("not_started")
@pytest.mark.parametrize("task", [Wait(), ReadInstruments(known_bytes=1, device="cpu")])
def test_other_tasks_start_no_device(task: Wait | ReadInstruments) -> None:
    with stand_in() as runtime, waking.devices_of(task):
        assert runtime.launched == 0


def test_the_affinity_is_as_before_after_a_task_on_cuda() -> None:
    before = os.sched_getaffinity(0)
    with stand_in(), waking.devices_of(ReadInstruments(known_bytes=1, device="cuda")):
        assert before <= os.sched_getaffinity(0)
    assert os.sched_getaffinity(0) == before
