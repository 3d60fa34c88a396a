"""Requests travel to nodes in jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.engine.cluster.jobs import Job, MakePlan, decoded, encoded
from suites.request.files import listed, recorded
from suites.request.planning import requested
from suites.request.suites import SUITES
from suites.request.suites.suite import Gpu, Suite
from tests.request.test_files import TRAIN, call, file_of


def expect_travels(suite: Suite) -> None:
    """The suite of a request has the same cases on a node."""
    job = decoded(encoded(Job(work=MakePlan(request=requested(suite, {})))))
    found = job.work.request.suite
    assert found.cases(("cpu",), Gpu()) == suite.cases(("cpu",), Gpu())


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_every_suite_travels(suite: Suite) -> None:
    expect_travels(suite)


def test_a_list_of_problems_travels(tmp_path: Path) -> None:
    path = tmp_path / "problems.txt"
    path.write_text("3x b1 h1 t64 d16 causal  # encoder\nb1 h1 t128 d16\n")
    expect_travels(listed.suite_of(path))


def test_a_recorded_script_travels(tmp_path: Path) -> None:
    expect_travels(recorded.suite_of(file_of(tmp_path, call(TRAIN, backward_ms=200.0))))
