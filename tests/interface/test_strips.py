"""Strips have every visible pair once, views of the tensors, and what fits into a group."""

from __future__ import annotations

import pytest
import torch

from impls.interface import Mask
from impls.interface.strips import Strips, strips_of

MASKS = [
    "window:5:3",
    "window:5:3+padding:0-9/5-40/0-0",
    "window:5:3+documents:1/20/19",
    "window:5:3+padding:3-40/0-40/7-8+documents:10x4",
]
WHOLE = (8, 16, 5)
"""Blocks of 8 queries, which see 15 keys: 16, one of them before the reach."""


def pairs_of(strips: Strips, lengths: tuple[int, int]) -> torch.Tensor:
    """Queries and keys of each block with its strip, [heads, Tq, Tk]."""
    found = torch.zeros(2, *lengths, dtype=torch.int)
    for number, first in enumerate(strips.blocks):
        queries = slice(first, first + strips.blocks.step)
        start = strips.key + number * strips.blocks.step
        found[strips.heads, queries, start : start + strips.length] += 1
    return found


@pytest.mark.parametrize("most", [1, 500, 10_000])
@pytest.mark.parametrize("lengths", [(40, 40), (7, 40), (40, 7), (1, 40)], ids=str)
@pytest.mark.parametrize("text", MASKS)
def test_the_strips_have_the_visible_pairs_once(
    text: str, lengths: tuple[int, int], most: int
) -> None:
    mask = Mask.parse(text)
    lengths = mask.packed_lengths or lengths
    q, k = torch.zeros(3, 2, 3, lengths[0], 4), torch.zeros(3, 2, lengths[1], 4)
    found = torch.zeros(3, 2, *lengths, dtype=torch.int)
    for strips in strips_of(mask, q, k, WHOLE, most):
        found[strips.batch] += pairs_of(strips, lengths)
    assert found.max() <= 1
    batch = len(mask.padding) if isinstance(mask.padding, tuple) else 1
    wanted = mask.dense(batch, *lengths, q.device).expand(3, 2, *lengths)
    assert (found.bool() >= wanted).all()
    # In a strip the band hides pairs, and nothing else does.
    band = Mask(mask.left, mask.right).dense(1, *lengths, q.device)
    assert torch.equal(found.bool() & band, wanted)


@pytest.mark.parametrize("most", [1, 500, 10_000])
def test_strips_have_at_most_the_scores_that_are_asked_for(most: int) -> None:
    q, k = torch.zeros(1, 8, 3, 200, 4), torch.zeros(1, 8, 200, 4)
    made = list(strips_of(Mask(left=5, right=3), q, k, WHOLE, most))
    for each in made:
        heads = each.heads.stop - each.heads.start
        scores = 3 * each.blocks.step * each.length
        assert scores * heads * len(each.blocks) <= max(most, scores)
    assert max(len(each.blocks) for each in made) == {1: 1, 500: 1, 10_000: 23}[most]


def test_rows_and_keys_are_views_of_the_tensors() -> None:
    x, y = (
        torch.arange(2 * 3 * 2 * 20.0).view(2, 3, 2, 20, 1),
        torch.arange(120.0).view(2, 3, 20, 1),
    )
    strips = Strips(1, slice(1, 3), range(4, 12, 4), 3, slice(0, 6))
    rows, keys = strips.rows(x), strips.keys(y, y.dtype)
    assert rows.shape == (2, 2, 2, 4, 1)
    assert torch.equal(rows[1, 1, 0], x[1, 2, 0, 8:12])
    assert keys.shape == (2, 2, 6, 1)
    assert torch.equal(keys[1, 1], y[1, 2, 7:13])
    assert torch.equal(strips.keys(y, y.dtype, slice(4, 6)), keys[:, :, 4:])
    pointers = rows.untyped_storage().data_ptr(), keys.untyped_storage().data_ptr()
    assert pointers == (x.untyped_storage().data_ptr(), y.untyped_storage().data_ptr())
    assert strips.keys(y, torch.float64).dtype == torch.float64


def test_the_same_parts_of_strips_have_no_key_in_common() -> None:
    strips = Strips(0, slice(0, 1), range(4, 12, 4), 3, slice(0, 6))
    assert list(strips.disjoint()) == [slice(0, 4), slice(4, 6)]
    alone = Strips(0, slice(0, 1), range(4, 8, 4), 3, slice(0, 6))
    assert list(alone.disjoint()) == [slice(0, 6)]
