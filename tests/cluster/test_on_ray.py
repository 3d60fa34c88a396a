"""Runs on a real Ray cluster of three nodes. Its sessions measure one after another: one host."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from suites.records.store import Store
from tests.cluster.program import MINE, Nodes, ended, line_of, on_nodes, started, stored
from tests.records.test_store_postgres import server, url  # noqa: F401 - fixtures

PROBLEM = ("--problem", "b1 h2 t64 d16 causal")
QUICK = (*PROBLEM, "--threads", "1", "--sessions", "2")
PATIENT_S = 300.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_two_kinds_give_two_runs_with_a_file_that_only_the_driver_has(
    nodes: Nodes, folder: Path
) -> None:
    words = ("--threads", "2", "--sessions", "2", "--impl", "naive", "--impl", "mine.py")
    status, _, said = nodes.ended(folder, *PROBLEM, *words)
    assert status == 0, said
    assert "raylet" not in said.lower()
    found = stored(folder)
    base = next(iter(found)).partition("@")[0]
    assert set(found) == {f"{base}@alpha", f"{base}@beta"}
    for run, records in found.values():
        assert [entry.name for entry in run.plan.entries] == ["naive", "mine"]
        assert run.plan.entries[1].files == {"mine": str(folder / "mine.py")}
        assert {(r.session, r.implementation, r.status, r.host) for r in records} == {
            (session, name, "ok", socket.gethostname())
            for session in (0, 1, 2)
            for name in ("naive", "mine")
        }
        assert len(records) == 6
        assert {facts.environment["OMP_NUM_THREADS"] for facts in run.facts} == {"2"}
        assert run.ended is not None


def test_a_node_that_is_killed_costs_no_stored_record(nodes: Nodes, folder: Path) -> None:
    words = ("--on", "alpha", "--json", "--impl", "naive", "--impl", "mine.py")
    program = nodes.started(folder, *PROBLEM, "--threads", "1", "--sessions", "4", *words)
    before = [json.loads(line_of(program.stdout)) for _ in range(3)]
    nodes.do("kill")
    try:
        status, printed, said = ended(program)
    finally:
        nodes.do("add")
    assert status == 0, said
    assert {json.loads(line)["kind"] for line in printed.splitlines()} == {"record", "run"}
    assert "raylet" not in said
    ((run, records),) = stored(folder).values()
    assert run.name.endswith("@alpha")
    assert sorted((r.session, r.implementation) for r in records) == sorted(
        (session, name) for session in range(5) for name in ("naive", "mine")
    )
    kept = [(r.session, r.implementation, list(r.times_ms)) for r in records[:3]]
    assert kept == [(r["session"], r["implementation"], r["times_ms"]) for r in before]


def test_ctrl_c_ends_every_process_and_the_local_engine_finishes_the_run(
    nodes: Nodes, folder: Path
) -> None:
    words = ("--on", "alpha", "--json", "--impl", "naive", "--impl", "mine.py", "--threads", "2")
    program = nodes.started(folder, *PROBLEM, "--sessions", "3", *words)
    line_of(program.stdout)
    assert on_nodes()
    program.send_signal(signal.SIGINT)
    status, _, said = ended(program)
    assert status == 130
    assert "finish with: python run_bench.py run --resume" in said
    expect_no_process_left()
    ((run, records),) = stored(folder).values()
    assert run.ended is None
    assert f"stopped; {len(records)} records are stored" in said
    status, _, said = ended(started(folder, "--resume", run.name))
    assert status == 0, said
    ((after, finished),) = stored(folder).values()
    assert after.ended is not None
    assert finished[: len(records)] == records
    assert len(finished) == 8


def test_a_killed_driver_leaves_no_process_and_its_run_goes_on_from_its_records(
    nodes: Nodes, folder: Path
) -> None:
    words = ("--on", "beta", "--json", "--impl", "naive", "--impl", "mine.py", "--threads", "1")
    program = nodes.started(folder, *PROBLEM, "--sessions", "2", *words)
    line_of(program.stdout)
    program.kill()
    assert ended(program)[0] == -signal.SIGKILL
    expect_no_process_left()
    ((run, records),) = stored(folder).values()
    status, _, said = nodes.ended(folder, "--resume", run.name)
    assert status == 0, said
    ((after, finished),) = stored(folder).values()
    assert after.ended is not None
    assert finished[: len(records)] == records
    assert len({record.key for record in finished}) == len(finished) == 6


def expect_no_process_left() -> None:
    """Wait until every process of a job on a node has ended."""
    deadline_s = time.monotonic() + PATIENT_S
    while on_nodes() and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert on_nodes() == []


def test_two_runs_at_once_into_postgresql(nodes: Nodes, folder: Path, url: str) -> None:  # noqa: F811 - the fixture
    words = ("--store", url, "--impl", "naive", "--impl", "mine.py", "--on")
    programs = [nodes.started(folder, *QUICK, *words, kind) for kind in ("alpha", "alpha")]
    for status, _, said in map(ended, programs):
        assert status == 0, said
    store = Store.open(url, create=False)
    names = [run.name for run in store.runs()]
    assert len(names) == 2
    for name in names:
        assert len({r.key for r in store.records(name)}) == len(store.records(name)) == 6
    store.close()


PLANTED = """
import time

import torch.nn.functional as F


def base(q, k, v, is_causal=False):
    return F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)


def same(q, k, v, is_causal=False):
    return F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)


def slower(q, k, v, is_causal=False):
    start = time.perf_counter()
    out = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    end = start + 1.03 * (time.perf_counter() - start)
    while time.perf_counter() < end:
        pass
    return out
"""


def test_verdicts_on_planted_pairs_are_those_of_the_local_engine(
    nodes: Nodes, folder: Path
) -> None:
    (folder / "planted.py").write_text(PLANTED)
    precise = ("--precision", "0.8%", "--delta", "1.5%", "--sessions", "20", "--json")
    pairs = ("--impl", "planted.py", "--against", "base")
    words = ("--problem", "b1 h1 t128 d32", "--threads", "1", *precise, *pairs)
    for _, printed, said in (
        nodes.ended(folder, *words, "--on", "beta"),
        ended(started(folder, *words)),
    ):
        found = verdicts(printed)
        assert found["slower"] == "slower", said
        assert found["same"] in ("same", "inconclusive"), said


def verdicts(printed: str) -> dict[str, str]:
    """The verdict on each implementation, in the last line of a run's JSON."""
    run = json.loads(printed.splitlines()[-1])
    return {each["implementation"]: each["verdict"] for each in run["verdicts"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "gamma"), "--on is 'gamma'; the cluster has alpha (2 nodes), beta (1 node)"),
        (("--on", "beta", "--device", "cuda"), "this machine has cpu"),
    ],
)
def test_what_the_cluster_lacks_is_one_line(
    nodes: Nodes, folder: Path, words: tuple[str, ...], said: str
) -> None:
    status, printed, line = nodes.ended(folder, *QUICK, "--impl", "naive", *words)
    assert (status, printed) == (2, "")
    assert said in line
    assert line.count("\n") == 1
    assert not (folder / "results" / "bench.db").exists()
