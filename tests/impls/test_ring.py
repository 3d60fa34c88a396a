"""Ring attention on 2 and 4 processes agrees with the reference, and sends what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impls.interface import Problem
from impls.ring import ring
from tests.impls.rank_processes import RankProcesses, rank_processes, with_defaults

RING = "impls.ring:ring"
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
