"""Packed sequences show exactly the keys that the mask shows."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from impls.interface import Problem
from impls.interface.limits import EVERY_MASK
from impls.interface.packed import PACKABLE, Pack, attend_packed, packs_of

BANDS = {
    "full": "full",
    "causal": "causal",
    "window": "window:3:1",
    "padding": "padding:0-5/2-9/3-7",
    "documents": "documents:4/3/2",
    "rows": "rows:2x1/3+4/4+3/2+1/5",
}
PROBLEMS = [
    *("+".join(BANDS[word] for word in kind.split("+")) for kind in PACKABLE),
    *("window:4", "window:*:2", "window:2:*", "documents:1x9", "window:2+documents:1/8"),
    *("padding:0.5", "causal+padding:0-0/0-1/8-9", "causal+padding:0.5+documents:2/5/2"),
]
LENGTHS = ("t9", "t4/9", "t9/4", "t1/9")


def shown(pack: Pack, problem: Problem) -> Tensor:
    """How often each pair is computed, [B * Tq, B * Tk], by the documented meaning of a pack."""
    counts = torch.zeros(
        problem.batch * problem.query_length, problem.batch * problem.key_length, dtype=torch.int
    )
    queries = pack.query_rows if pack.query_rows is not None else torch.arange(counts.shape[0])
    keys = pack.key_rows if pack.key_rows is not None else torch.arange(counts.shape[1])
    before, after = pack.window
    starts = zip(pack.query_starts.tolist(), pack.key_starts.tolist(), strict=True)
    for (first, start), (last, end) in pairwise(starts):
        assert last - first <= pack.longest_query
        assert end - start <= pack.longest_key
        distance = torch.arange(last - first)[:, None] + (end - start) - (last - first)
        distance = distance - torch.arange(end - start)
        seen = torch.ones_like(distance, dtype=torch.bool)
        seen = seen if before is None else seen & (distance <= before)
        seen = seen if after is None else seen & (distance >= -after)
        counts[queries[first:last, None], keys[None, start:end]] += seen.int()
    return counts


def visible(problem: Problem) -> Tensor:
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    dense = mask.dense(problem.batch, problem.query_length, problem.key_length, torch.device("cpu"))
    rows = dense.reshape(-1, problem.query_length, problem.key_length)
    seen: Tensor = torch.block_diag(*rows.expand(problem.batch, -1, -1).int())  # type: ignore[no-untyped-call] # torch's
    return seen


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("mask", PROBLEMS)
def test_every_visible_pair_is_computed_once_and_no_other(mask: str, lengths: str) -> None:
    if "documents" in mask and lengths != "t9":
        return  # the contract has documents with Tq = Tk only
    if "rows" in mask and lengths != "t9":
        return  # rows state the lengths
    keys = int(lengths.rpartition("/")[2].removeprefix("t"))
    within = re.sub(r"(\d+)-(\d+)", lambda ends: _within(ends, keys), mask)
    sizes = "b1" if "rows" in mask else f"b3 {lengths}"
    problem = Problem.parse(f"{sizes} h2 d8 {within}")
    counts = sum((shown(pack, problem) for pack in packs_of(problem)), torch.zeros(1))
    assert torch.equal(counts.int(), visible(problem))


def _within(ends: re.Match[str], keys: int) -> str:
    """A range of padding, cut to the keys that there are."""
    return "-".join(str(min(int(end), keys)) for end in ends.groups())


def test_rows_are_not_copied_where_all_are_packed_in_order() -> None:
    for text in ("full", "causal", "window:3", "causal+documents:4/3/2"):
        (pack,) = packs_of(Problem.parse(f"b3 h2 t9 d8 {text}"))
        assert pack.query_rows is None
        assert pack.key_rows is None
    (pack,) = packs_of(Problem.parse("h2 d8 causal+rows:3x1/4+2/9"))
    assert pack.query_rows is None
    assert pack.key_rows is None
    assert pack.query_starts.tolist() == [0, 1, 2, 3, 5]
    assert pack.key_starts.tolist() == [0, 4, 8, 12, 21]


def test_no_sequence_lacks_queries_or_keys() -> None:
    for pack in packs_of(Problem.parse("b3 h2 t9 d8 causal+padding:0-0/0-2/8-9")):
        assert pack.query_starts.diff().min() > 0
        assert pack.key_starts.diff().min() > 0


@pytest.mark.parametrize("kind", sorted(set(EVERY_MASK) - set(PACKABLE)))
def test_another_mask_is_refused(kind: str) -> None:
    text = "+".join(BANDS[word] for word in kind.split("+"))
    with pytest.raises(ValueError, match=re.escape(f"mask {kind}: packed sequences need full,")):
        packs_of(Problem.parse(f"b3 h2 t9 d8 {text}"))


def test_queries_that_see_no_key_get_zeros() -> None:
    problem = Problem.parse("b2 h2 t9 d8 padding:0-0/0-9")
    q = torch.full((2, 9, 2, 8), torch.nan)
    out = attend_packed(q, q, q, packs=packs_of(problem), kernel=lambda q, *_: torch.ones_like(q))
    assert (out[0] == 0).all()
    assert (out[1] == 1).all()
    hidden = packs_of(Problem.parse("b2 h2 t9 d8 padding:0-0/0-0"))
    assert hidden == ()
    assert (attend_packed(q, q, q, packs=hidden, kernel=lambda q, *_: q) == 0).all()
