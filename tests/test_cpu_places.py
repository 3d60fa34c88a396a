"""Sessions of parallel test workers run on different CPUs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from suites.engine.local_session import environment
from tests.cpu_places import places

SHOW_CPU = """
from suites.session import _on_any_cpu
with _on_any_cpu():
    import torch
import os
print(*sorted(os.sched_getaffinity(0)))
"""


def test_each_worker_starts_at_another_cpu_and_has_all_of_them() -> None:
    assert places("gw0", (0, 1, 5)) == "{0},{1},{5}"
    assert places("gw2", (0, 1, 5)) == "{5},{0},{1}"
    assert places("gw3", (0, 1, 5)) == "{0},{1},{5}"


def test_a_session_keeps_the_places_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_PLACES", "{1},{0}")
    monkeypatch.setenv("OMP_PROC_BIND", "false")
    of_session = environment(1)
    assert of_session["OMP_PLACES"] == "{1},{0}"
    assert of_session["OMP_PROC_BIND"] == "true"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_one_thread_sessions_of_two_workers_run_on_different_cpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    found = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("OMP_PLACES", places(worker, cpus))
        found.append(
            subprocess.run(
                [sys.executable, "-c", SHOW_CPU],
                env=environment(1),
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
        )
    assert found == [[str(cpus[0])], [str(cpus[1 % len(cpus)])]]
