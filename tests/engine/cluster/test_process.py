"""The process of a job, started without Ray."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Generator
from contextlib import suppress

import psutil
import pytest

from suites.engine.cluster import process
from suites.engine.cluster.jobs import (
    Begins,
    DoSession,
    Job,
    Kept,
    MakePlan,
    Planned,
    Refused,
    decoded,
)
from suites.engine.cluster.jobs import encoded as encoded_job
from suites.records.store import Run
from suites.request.planning import requested
from suites.request.suites import named

PATIENT_S = 120.0


def of_nodes() -> list[int]:
    """The processes of jobs that this program's folder has started, and those of their sessions."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            ours = each.environ().get("PYTHONPATH", "").startswith(str(process.ROOT))
            if ours and "suites.on_node" in each.cmdline():
                found += [each.pid, *(child.pid for child in each.children(recursive=True))]
    return found


def make_plan(*specs: str) -> Job:
    given: dict[str, str | list[str]] = {
        "--problem": ["b1 h1 t64 d16 causal"],
        "--impl": list(specs),
        "--device": "cpu",
        "--sessions": "1",
        "--threads": "1",
    }
    return Job(work=MakePlan(request=requested(named("quick"), given)))


@pytest.fixture(scope="module")
def planned() -> Planned:
    (made,) = map(decoded, process.carry_out(encoded_job(make_plan("naive")), 1))
    assert isinstance(made, Planned)
    return made


def checked(planned: Planned, **facts: str) -> list[object]:
    """What the check of a plan sends, for a run that began on a machine with these facts."""
    return list(map(decoded, process.carry_out(encoded_job(check_of(planned, **facts)), 1)))


def check_of(planned: Planned, **facts: str) -> Job:
    machine = {**planned.machine, **facts}
    run = Run(name="r@k", started="", command="", plan=planned.plan, machine=machine)
    return Job(work=DoSession(run=run, session=0, verifies=True))


def test_a_job_makes_a_plan_and_another_its_check(planned: Planned) -> None:
    assert planned.plan.entries[0].files == {"naive": "program:impls/naive.py"}
    (kept,) = [each for each in checked(planned) if isinstance(each, Kept)]
    assert [(r.status, r.host) for r in kept.records] == [("ok", socket.gethostname())]


def test_what_makes_no_sense_on_the_machine_is_refused_in_words() -> None:
    (news,) = map(decoded, process.carry_out(encoded_job(make_plan("naiv")), 1))
    assert isinstance(news, Refused)
    assert news.reason.startswith("unknown implementation 'naiv'; did you mean 'naive'?")


def test_a_machine_that_differs_from_that_of_the_run_is_refused(planned: Planned) -> None:
    (news,) = checked(planned, cpu="another")
    assert isinstance(news, Refused)
    assert "began with cpu another, here it is" in news.reason


def test_a_process_that_ends_early_is_an_error_with_its_last_line() -> None:
    with pytest.raises(process.NodeProcessError, match="before the job was done; its last line: "):
        list(process.carry_out(b"no pickle", 1))


def test_a_task_that_is_cancelled_ends_the_processes_of_its_job(planned: Planned) -> None:
    frames = process.carry_out(encoded_job(check_of(planned)), 1)
    assert isinstance(decoded(next(frames)), Begins)
    started = of_nodes()
    assert started
    assert isinstance(frames, Generator)
    frames.close()
    deadline_s = time.monotonic() + PATIENT_S
    while any(map(psutil.pid_exists, started)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, started))


def test_ray_s_number_of_threads_is_not_passed_on() -> None:
    found = process._environment({"OMP_NUM_THREADS": "1", "PYTHONPATH": "/a", "X": "y"})
    assert "OMP_NUM_THREADS" not in found
    assert found["PYTHONPATH"] == f"{process.ROOT}{os.pathsep}/a"
    assert found["X"] == "y"


def test_a_machine_is_looked_at_without_torch() -> None:
    found = process.look()
    assert found["host"] == socket.gethostname()
    assert found["torch"]
    assert found["cpu"]
