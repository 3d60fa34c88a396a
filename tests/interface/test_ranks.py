"""Positions of a sequence on the ranks of a group."""

from __future__ import annotations

from itertools import chain

import pytest

from impls.interface import Mask
from impls.interface.ranks import SHARDS, positions_of


@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_every_position_is_on_one_rank(shards: str, ranks: int) -> None:
    held = positions_of(24, ranks, shards)
    assert len(held) == ranks
    assert sorted(chain.from_iterable(chain.from_iterable(held))) == list(range(24))
    assert {sum(map(len, each)) for each in held} == {24 // ranks}


def test_zigzag_gives_every_rank_as_many_pairs_of_a_causal_mask() -> None:
    mask = Mask.parse("causal")
    for shards, counts in (("zigzag", 1), ("contiguous", 4)):
        pairs = {
            sum(bool(mask.visible(0, q, k)) for each in rank for q in each for k in range(32))
            for rank in positions_of(32, 4, shards)
        }
        assert len(pairs) == counts, shards


def test_a_length_that_does_not_divide_and_unknown_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="length 12 does not divide into 8 chunks, one or two a r"):
        positions_of(12, 4, "zigzag")
    with pytest.raises(ValueError, match="shards 'striped'; expected one of contiguous, zigzag"):
        positions_of(12, 4, "striped")
