"""Context parallelism of torch: on a CPU its ring functions agree, full and causal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch.distributed.tensor.experimental._context_parallel import _attention

from impls.context_parallel import context_parallel
from impls.interface import Problem
from tests.impls.rank_processes import RankProcesses, rank_processes, with_defaults

PEER = "impls.context_parallel:context_parallel"
TEXTS = ("", "h4/2", "b2", "bf16", "fp16", "scale0.9", "bthd h4/2", "t8", "t512 d64")
REFUSED = {
    "fp64": "dtype float64: takes float32, float16, bfloat16",
    "cuda bf16 train window:9": "mask window: takes full, causal",
    "cuda": "dtype float32: takes float16, bfloat16",
    "cuda bf16 h8/4": "8 query heads over 4 key heads: needs as many of both",
}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RankProcesses]:
    with rank_processes(tmp_path_factory.mktemp("ranks")) as started:
        yield started


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("mask", ["full", "causal"])
@pytest.mark.parametrize("words", TEXTS)
def test_it_agrees(processes: RankProcesses, words: str, mask: str, ranks: int) -> None:
    problem = Problem.parse(f"{with_defaults(words)} {mask} train ranks{ranks}")
    assert context_parallel.refusals(problem) == ()
    assert processes.call(PEER, str(problem)).judged()[1] == ""


@pytest.mark.parametrize("ranks", [2, 4])
def test_it_sends_the_keys_and_their_gradients(processes: RankProcesses, ranks: int) -> None:
    """Keys and values are gathered forward and backward; their gradients go all the way round."""
    called = processes.call(PEER, f"b2 t128 h4 d16 bf16 causal train ranks{ranks}")
    elements = 2 * 2 * 4 * 128 * 16
    gathered = (ranks - 1) / ranks * elements * 2
    expected = gathered, gathered + elements * 4
    assert [rank.sent_bytes for rank in called.ranks] == [expected] * ranks


@pytest.mark.parametrize(("words", "reason"), REFUSED.items())
def test_what_torch_does_not_compute_is_refused(words: str, reason: str) -> None:
    problem = Problem.parse(f"t128 d64 ranks2 {words}")
    assert context_parallel.refusals(problem, (9, 0)) == (reason,)


def test_its_merge_loses_digits_where_a_later_block_has_all_the_weight() -> None:
    """A version of torch that keeps them makes this test fail: `inexact_on` can go then."""
    merger = _attention._SDPAMerger(convert_to_f32=True, seq_dim=2)
    for value, log_sum in ((12345.678, 0.0), (0.1, 100.0)):
        out, log_sums = torch.full((1, 1, 2, 1), value), torch.full((1, 1, 2), log_sum)
        merger.step(out, log_sums, partial=False)
    error = (merger.results()[0] - 0.1).abs().max()
    assert error > 16 * torch.finfo(torch.float32).eps * 0.1
