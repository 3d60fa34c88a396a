"""Attention by heads on 2 and 4 processes agrees with the reference, and sends what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from impls.ulysses import ulysses
from tests.impls.rank_processes import RankProcesses, rank_processes, with_defaults

ULYSSES = "impls.ulysses:ulysses"
TEXTS = (
    *("full", "causal", "window:40", "window:5:17", "window:*:3", "window:9:*", "window:1:0"),
    *("h8/4 causal", "b2 h8/4 full", "b2 h8/4 window:40:7", "t1000 window:300", "t600 window:9:8"),
    *("bf16 causal", "bf16 h8/4 full", "bf16 window:40", "fp16 causal", "fp64 window:40"),
    *("bthd h8/4 causal", "scale0.9 full", "t4 causal", "t1024 bf16 causal"),
)
"""Words of problems, with gradients; the others are t128 h4 d16."""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RankProcesses]:
    with rank_processes(tmp_path_factory.mktemp("ranks")) as started:
        yield started


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("words", TEXTS)
def test_it_agrees_with_the_reference(processes: RankProcesses, words: str, ranks: int) -> None:
    problem = f"{with_defaults(words)} train ranks{ranks}"
    assert ulysses.refusals(Problem.parse(problem)) == ()
    assert processes.call(ULYSSES, problem).judged()[1] == ""


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("words", ["causal", "b2 h8/4 bf16", "window:20"])
def test_it_sends_the_bytes_that_its_docstring_states(
    processes: RankProcesses, words: str, ranks: int
) -> None:
    problem = Problem.parse(f"{with_defaults(words)} train ranks{ranks}")
    heads = 2 * problem.query_heads + 2 * problem.key_heads
    own = problem.batch * problem.query_length / ranks * problem.head_dim * heads
    sent = own * (ranks - 1) / ranks * DTYPE_BYTES[problem.dtype]
    for rank in processes.call(ULYSSES, str(problem)).ranks:
        assert rank.sent_bytes == (sent, sent)


def test_heads_that_do_not_divide_by_the_ranks_are_refused() -> None:
    reasons = ulysses.refusals(Problem.parse("h8/2 t128 ranks4"))
    assert reasons == ("8 query heads and 2 key heads: takes multiples of the 4 ranks",)
    assert ulysses.refusals(Problem.parse("h8/4 t128 ranks4")) == ()
