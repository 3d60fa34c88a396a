"""Ring attention on 2 and 4 processes agrees with the reference, and sends what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from impls.ring import ring
from tests.impls.rank_processes import RankProcesses, rank_processes, with_defaults

RING = "impls.ring:ring"
FAULTY = "tests.engine.hostile.faulty_ring"
TEXTS = (
    *("full", "causal", "window:40", "window:5:17", "window:*:3", "window:9:*", "window:1:0"),
    *("h4/2 causal", "b2 h4/1 full", "b2 h4/2 window:40:7", "dv24 causal", "h4/2 dv8 window:20"),
    *("bf16 causal", "bf16 h4/2 full", "bf16 window:40", "fp16 causal", "fp64 causal"),
    *("bthd h4/2 causal", "scale0.9 full", "t16 causal", "t1024 window:300", "t1024 bf16 causal"),
)
"""Words of problems, with gradients; the others are t128 h4 d16."""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RankProcesses]:
    with rank_processes(tmp_path_factory.mktemp("ranks")) as started:
        yield started


@pytest.mark.parametrize("shards", ["zigzag", "contiguous"])
@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("words", TEXTS)
def test_it_agrees_with_the_reference(
    processes: RankProcesses, words: str, ranks: int, shards: str
) -> None:
    problem = f"{with_defaults(words)} train ranks{ranks}"
    assert ring.refusals(Problem.parse(problem)) == ()
    assert processes.call(RING, problem, shards=shards).judged()[1] == ""


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("words", ["causal", "b2 h4/2 bf16", "dv24", "window:20", "fp64 h4/1"])
def test_it_sends_the_bytes_that_its_docstring_states(
    processes: RankProcesses, words: str, ranks: int
) -> None:
    problem = Problem.parse(f"{with_defaults(words)} train ranks{ranks}")
    parts = (ranks - 1) / ranks * problem.batch * problem.key_heads * problem.key_length
    elements = parts * (problem.head_dim + problem.value_size)
    size = DTYPE_BYTES[problem.dtype]
    for rank in processes.call(RING, str(problem)).ranks:
        assert rank.sent_bytes == (elements * size, elements * (size + max(size, 4)))


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize(
    ("fault", "tensor"),
    [
        ("lost_last_block", "out"),
        ("log_sum_not_merged", "out"),
        ("positions_swapped", "out"),
        ("key_gradients_not_returned", "dk"),
    ],
)
def test_a_planted_fault_of_a_rank_is_wrong(
    processes: RankProcesses, fault: str, tensor: str, ranks: int
) -> None:
    called = processes.call(f"{FAULTY}:{fault}", f"t128 h4/2 d16 causal train ranks{ranks}")
    assert called.judged()[1].startswith(f"{tensor} is wrong")
    assert called.faults_of(1).startswith(f"{tensor} is wrong")
    others = [called.faults_of(rank) for rank in range(ranks) if rank != 1]
    assert not any(each.startswith(f"{tensor} is wrong") for each in others)


def test_the_planted_faults_replace_what_is_right(processes: RankProcesses) -> None:
    called = processes.call(f"{FAULTY}:right_ring", "t128 h4/2 d16 causal train ranks4")
    assert called.judged()[1] == ""
