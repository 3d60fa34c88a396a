from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.cpu_places import places
from tests.engine import forked_sessions
from tests.stand_in.device import register

CLUSTER = Path(__file__).parent / "cluster"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow warnings in tests marked `gpu`, and in no others.

    torch warns where a CUDA operation has no deterministic form, and poisoned inputs ask for one:
    cuBLAS without CUBLAS_WORKSPACE_CONFIG, for example.
    """
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.filterwarnings("default"))


def pytest_collection_finish() -> None:
    """Leave imported modules and collected tests out of garbage collection, as sessions do.

    Each reading of memory collects garbage first. Searching all of these objects took 0.2 s.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """In-process torch uses one thread: problems are small in tests.

    Only sessions bind their OpenMP threads. Unbound threads spin and wait for each other, which
    takes ten times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _unchanged_path() -> Iterator[None]:
    """A user's file adds its folder to the path; it leaves with the test."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture(autouse=True, scope="session")
def _sessions_of_each_worker_start_at_another_cpu() -> None:
    """Set OMP_PLACES for the processes that an xdist worker starts.

    Torch is imported by now, so this does not bind the worker itself. OMP_PROC_BIND=false leaves
    other child processes unbound; the engine sets it to true for sessions.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_getaffinity"):
        os.environ["OMP_PLACES"] = places(worker, sorted(os.sched_getaffinity(0)))
        os.environ["OMP_PROC_BIND"] = "false"


@pytest.fixture(autouse=True, scope="session")
def _stand_in_has_an_autograd_thread() -> None:
    """The stand-in is known to torch before the first backward pass of the process.

    Torch's autograd engine starts the threads of all devices then, and none later
    (`start_device_threads` in torch/csrc/autograd/engine.cpp). Beside a GPU the stand-in is not
    registered: torch would take its streams for those of the GPU in a backward pass.
    """
    if not torch.cuda.is_available():
        register()


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_not_ignored() -> None:
    """Processes that the tests start can be interrupted, even if pytest runs in the background.

    A shell makes background programs ignore SIGINT, and child processes inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def _forked_sessions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sessions fork from a process that has imported torch, where their start is not tested."""
    with forked_sessions.forked_where_possible(request.module):
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_server_is_left() -> Iterator[None]:
    yield
    forked_sessions.SERVERS.end()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests/cluster out unless a path names it: starting Ray takes a minute."""
    named = any("cluster" in word for word in config.invocation_params.args)
    return True if collection_path == CLUSTER and not named else None
