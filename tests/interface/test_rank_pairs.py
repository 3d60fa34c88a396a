"""Rectangles hold every visible pair of two ranks once, in as few calls as stated."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from impls.interface import CAUSAL, FULL, Mask
from impls.interface.rank_pairs import Rectangle, rectangles, tiles
from impls.interface.ranks import SHARDS, positions_of

LENGTH = 48
TILE = (4, 6)
MASKS = ("full", "causal", "window:1", "window:5", "window:17:3", "window:*:2", "window:4:*")


def counted(found: list[Rectangle], mask: Mask, size: int) -> torch.Tensor:
    """How often each pair of the rows and columns of two ranks is computed."""
    times = torch.zeros(size, size, dtype=torch.int)
    for each in found:
        rows, columns = times[each.rows, each.columns].shape
        seen = torch.ones(rows, columns, dtype=torch.bool)
        if each.is_causal:
            seen = seen.tril()
        hidden = each.hidden(mask, torch.device("cpu"))
        times[each.rows, each.columns] += (seen if hidden is None else seen & ~hidden).int()
    return times


@pytest.mark.parametrize("find", [rectangles, tiles])
@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("text", MASKS)
def test_every_visible_pair_is_held_once(text: str, ranks: int, shards: str, find: object) -> None:
    mask, places = Mask.parse(text), positions_of(LENGTH, ranks, shards)
    assert callable(find)
    for queries, keys in product(places, places):
        found = list(find(mask, queries, keys, LENGTH, TILE))
        q, k = (torch.tensor([i for each in x for i in each]) for x in (queries, keys))
        expected = mask.visible(0, q[:, None], k).int()
        assert counted(found, mask, LENGTH // ranks).equal(expected)
        for each in found:
            if each.partly is not None:
                assert len(each.partly[0]) <= TILE[0]
                assert len(each.partly[1]) <= TILE[1]


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("mask", [FULL, CAUSAL])
def test_zigzag_positions_have_one_rectangle_for_each_block(mask: Mask, ranks: int) -> None:
    places = positions_of(LENGTH, ranks, "zigzag")
    for queries, keys in product(places, places):
        (found,) = rectangles(mask, queries, keys, LENGTH, TILE)
        assert found.partly is None
        assert found.is_causal == (mask == CAUSAL and queries == keys)


def test_a_hidden_block_has_no_rectangle() -> None:
    first, second = positions_of(LENGTH, 2, "contiguous")
    assert not list(rectangles(CAUSAL, first, second, LENGTH, TILE))
    assert not list(tiles(CAUSAL, first, second, LENGTH, TILE))


def test_ranks_with_zigzag_positions_have_equally_many_causal_pairs() -> None:
    places = positions_of(LENGTH, 4, "zigzag")
    counts = {
        sum(
            int(counted(list(rectangles(CAUSAL, own, keys, LENGTH, TILE)), CAUSAL, 12).sum())
            for keys in places
        )
        for own in places
    }
    assert counts == {LENGTH * (LENGTH + 1) // 2 // 4}
