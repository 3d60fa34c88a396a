"""Profiles from real processes: of implementations that work, fail, crash, hang or are not seen."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from impls.interface import Problem
from suites.conducting import pool_of
from suites.engine.catalogue import open_catalogue
from suites.engine.profiles import COUNTED_MS, MOST_COUNTED, counted_calls
from suites.profiling import taken_of
from suites.records.kernels import UNSEEN
from suites.records.plan import Plan
from suites.records.profile import ROOT, Profile
from suites.records.store import Run, now
from suites.request import processes
from tests.engine.real_sessions import FOLDER
from tests.stand_in import machine

SMALL = "b1 h2 t64 d16 full fp32 cpu"
FUNCTIONS = """
import os
import sys
import threading
import time

from torch.nn.functional import scaled_dot_product_attention as attention


def honest(query, key, value):
    return attention(query, key, value)  # honest


def raises(query, key, value):
    if sys.gettrace():
        raise ValueError("planted")
    return attention(query, key, value)


def crashes(query, key, value):
    if sys.gettrace():
        os._exit(3)
    return attention(query, key, value)


def hangs(query, key, value):
    while sys.gettrace():
        time.sleep(0.1)
    return attention(query, key, value)


def changes_its_path(query, key, value):
    scale = query.shape[-1] ** -0.5
    if sys.gettrace():
        return (query @ key.mT * scale).softmax(-1) @ value
    return attention(query, key, value)


def in_a_thread(query, key, value):
    made = []
    worker = threading.Thread(target=lambda: made.append(attention(query, key, value)))
    worker.start()
    worker.join()
    return made[0]


kept = {}


def cached(query, key, value):
    if "ones" not in kept:
        kept["ones"] = query.new_ones(1024)
    return attention(query, key, value)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the functions above."""
    path = tmp_path_factory.mktemp("mine") / "mine.py"
    path.write_text(FUNCTIONS)
    return path


def taken(
    spec: str,
    folder: Path,
    problem: str = SMALL,
    *,
    time_limit_s: float = 60.0,
    memory_limit: int = 1 << 30,
) -> Profile:
    """The profile that a session of its own takes of one implementation."""
    here, entries = open_catalogue([spec], threads=1)
    plan = Plan(
        suite="profiles",
        problems=(Problem.parse(problem),),
        entries=processes.assigned(entries, ()),
        sessions=1,
        seed=1,
        round_budget_ms=10,
        time_limit_s=time_limit_s,
        memory_limit=memory_limit,
        threads=(1,),
    )
    run = Run(name="r", started=now(), command="c", plan=plan, machine=here)
    (entry,) = plan.entries
    with pool_of(plan) as pool:
        return taken_of(run, pool, plan.problems[0], entry.name, folder)


def test_an_implementation_has_its_tree_its_memory_and_its_trace(
    file: Path, tmp_path: Path
) -> None:
    found = taken(f"{file}:honest", tmp_path)
    assert (found.fault, found.no_lines, found.unseen) == ("", "", "")
    assert (found.implementation, found.threads) == ("honest", 1)
    line = 1 + FUNCTIONS.splitlines().index("    return attention(query, key, value)  # honest")
    assert f"{file}:{line} honest" in [node.name for node in found.nodes]
    assert found.memory is not None
    assert found.memory.peak_bytes >= 2 * 64 * 16 * 4  # the output
    assert found.memory.page_faults is not None
    (trace,) = found.files
    events = json.loads((tmp_path / trace).read_text())["traceEvents"]
    assert any("scaled_dot_product" in str(event.get("name")) for event in events)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("raises", "failed: ValueError: planted"),
        ("crashes", "crashed: the process ended with status 3"),
        ("hangs", "timed_out: "),
    ],
)
def test_an_implementation_that_fails_while_it_is_profiled_has_its_fault_alone(
    file: Path, tmp_path: Path, name: str, fault: str
) -> None:
    found = taken(f"{file}:{name}", tmp_path, time_limit_s=8.0)
    assert found.fault.startswith(fault), found.fault
    assert (found.nodes, found.memory, found.files) == ((), None, ())
    assert found.fault.isprintable()


@pytest.mark.parametrize(
    ("call_ms", "calls"), [(0.01, MOST_COUNTED), (COUNTED_MS / 10, 10), (COUNTED_MS * 60, 1)]
)
def test_long_calls_are_counted_once_and_short_ones_a_limited_number_of_times(
    call_ms: float, calls: int
) -> None:
    assert counted_calls(call_ms) == calls


def test_an_implementation_beyond_its_memory_is_out_of_memory(tmp_path: Path) -> None:
    found = taken("naive", tmp_path, "b1 h8 t4096 d64 full", memory_limit=1 << 28)
    assert found.fault.startswith("out_of_memory: one call may add 0.25 GiB"), found.fault


def test_an_implementation_that_runs_otherwise_when_annotated_has_no_lines(
    file: Path, tmp_path: Path
) -> None:
    found = taken(f"{file}:changes_its_path", tmp_path)
    assert "runs other operators" in found.no_lines
    assert found.nodes[ROOT].total_ns > 0
    assert found.memory is not None


def test_operators_of_a_thread_of_python_are_not_seen(file: Path, tmp_path: Path) -> None:
    found = taken(f"{file}:in_a_thread", tmp_path)
    assert (found.fault, found.unseen) == ("", UNSEEN)
    assert found.kernels == ()


def test_memory_that_a_first_call_caches_is_kept(file: Path, tmp_path: Path) -> None:
    found = taken(f"{file}:cached", tmp_path)
    assert found.memory is not None
    assert found.memory.kept_bytes == 4096
    assert found.memory.peak_bytes > 4096


def test_onnxruntime_is_not_seen_and_that_is_said(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    found = taken("onnxruntime", tmp_path)
    assert (found.fault, found.unseen, found.memory) == ("", UNSEEN, None)
    assert found.plain_ms
    assert found.nodes[ROOT].total_ns > 0


def test_compiled_code_is_profiled_without_compiling_again(tmp_path: Path) -> None:
    found = taken(f"{FOLDER / 'compiled.py'}:compiled", tmp_path, "b1 h1 t16 d8 full")
    assert (found.fault, found.unseen) == ("", "")
    assert not any("prims::" in node.name for node in found.nodes)
    assert found.memory is not None


def test_on_an_nvidia_device_the_snapshot_of_the_allocator_is_a_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    found = taken(f"{file}:honest", tmp_path, "b1 h2 t64 d16 full fp32 cuda")
    assert found.fault == ""
    trace, snapshot = found.files
    assert (tmp_path / trace).exists()
    (history,) = pickle.loads((tmp_path / snapshot).read_bytes())["device_traces"]  # noqa: S301 - the session's own file
    assert {each["action"] for each in history} >= {"alloc"}
