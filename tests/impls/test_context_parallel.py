"""Context parallelism of torch, on a CPU where its result is right; the limits refuse it there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impls.context_parallel import context_parallel
from impls.interface import Problem
from tests.impls.rank_processes import RankProcesses, rank_processes, with_defaults

PEER = "impls.context_parallel:context_parallel"
TEXTS = ("full", "h4/2", "b2", "bf16", "fp16", "fp64", "scale0.9", "bthd h4/2", "t8", "t512 d64")
REFUSED = {
    "cuda bf16 train window:9": "mask window: takes full, causal",
    "cuda": "dtype float32: takes float16, bfloat16",
    "cuda bf16 h8/4": "8 query heads over 4 key heads: needs as many of both",
}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RankProcesses]:
    with rank_processes(tmp_path_factory.mktemp("ranks")) as started:
        yield started


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("words", TEXTS)
def test_a_full_mask_agrees(processes: RankProcesses, words: str, ranks: int) -> None:
    problem = f"{with_defaults(words)} train ranks{ranks}"
    assert processes.call(PEER, problem).judged()[1] == ""


@pytest.mark.parametrize("ranks", [2, 4])
def test_it_sends_the_keys_and_their_gradients(processes: RankProcesses, ranks: int) -> None:
    """Keys and values are gathered forward and backward; their gradients are reduced."""
    called = processes.call(PEER, f"b2 t128 h4 d16 train ranks{ranks}")
    keys = (ranks - 1) / ranks * 2 * 2 * 4 * 128 * 16 * 4
    assert [rank.sent_bytes for rank in called.ranks] == [(keys, 2 * keys)] * ranks


@pytest.mark.parametrize(("words", "reason"), REFUSED.items())
def test_what_torch_does_not_compute_is_refused(words: str, reason: str) -> None:
    problem = Problem.parse(f"t128 d64 ranks2 {words}")
    assert context_parallel.refusals(problem, (9, 0)) == (reason,)


def test_a_causal_mask_is_an_exception_of_torch(processes: RankProcesses) -> None:
    """A version of torch that computes it makes this test fail: the limits can be wider then."""
    with pytest.raises(RuntimeError, match="got mixed"):
        processes.call(PEER, "t128 h4 d16 causal ranks2")


def test_on_a_cpu_its_output_has_other_placements_for_some_sizes(processes: RankProcesses) -> None:
    """A version of torch that gives each rank its rows makes this test fail: see the limits."""
    problem = Problem.parse("b1 h4 t128 d64 full ranks4")
    assert "device cpu: runs on cuda" in context_parallel.refusals(problem)
    with pytest.raises((RuntimeError, AssertionError), match=r"128|shape|size"):
        processes.call(PEER, str(problem)).judged()
