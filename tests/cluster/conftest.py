from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.program import ROOT, Nodes


def expect_ray() -> None:
    """Skip without Ray, or fail where it is required."""
    if importlib.util.find_spec("ray") is None:
        if "ray" in os.environ.get("ATTNBENCH_REQUIRE", ""):
            pytest.fail("ATTNBENCH_REQUIRE names ray: it is not installed")
        pytest.skip("Ray is not installed")


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """A cluster of three nodes on this machine. Starting it takes a minute on busy cores."""
    expect_ray()
    program = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("three_nodes.py"))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout
    assert program.stdin
    try:
        while ":" not in (line := program.stdout.readline()):  # Ray prints hints first
            assert line, "the cluster did not start"
        yield Nodes(line.strip(), program)
    finally:
        program.stdin.close()
        program.wait(120)
        program.stdout.close()
