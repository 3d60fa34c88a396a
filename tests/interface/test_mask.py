"""Masks against a brute force that is written from the definition, triple by triple."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from itertools import combinations, product
from typing import TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import CAUSAL, FULL, Mask
from impls.interface.limits import EVERY_MASK

Situation: TypeAlias = tuple[Mask, int, int, int]
"""A mask with the batch, query length and key length it is asked for."""

UNHURRIED = settings(deadline=None)
REACHES = st.none() | st.integers(0, 14)


@st.composite
def masks(draw: st.DrawFn, batch: int, key_length: int, *, shares: bool = False) -> Mask:
    """Masks of a batch and a key length, without documents and rows."""
    ends = st.tuples(st.integers(0, key_length), st.integers(0, key_length))
    ranges = ends.map(lambda pair: (min(pair), max(pair)))
    paddings = st.none() | st.lists(ranges, min_size=batch, max_size=batch).map(tuple)
    share = st.integers(1, 999).map(lambda n: n / 1000)
    left = draw(REACHES)
    return Mask(
        left=None if left is None else left + 1,
        right=draw(REACHES),
        padding=draw(paddings | share if shares else paddings),
    )


@st.composite
def situations(draw: st.DrawFn, *, shares: bool = False) -> Situation:
    batch = draw(st.integers(1, 4))
    lengths = st.integers(1, 5)
    documents = draw(st.none() | st.lists(lengths, min_size=1, max_size=4).map(tuple))
    if documents is None and draw(st.booleans()):
        rows = draw(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=4).map(tuple))
        band = draw(masks(1, 1))
        made = Mask(band.left, band.right, rows=rows)
        query_length, key_length = made.packed_lengths or (0, 0)
        return made, 1, query_length, key_length
    if documents is None:
        query_length, key_length = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    else:
        query_length = key_length = sum(documents)
    mask = draw(masks(batch, key_length, shares=shares))
    return Mask(mask.left, mask.right, mask.padding, documents), batch, query_length, key_length


def sees(mask: Mask, b: int, q: int, k: int) -> bool:
    """The definition, one batch row, one position and one key at a time."""
    if mask.rows is not None:
        return sees_in_its_row(mask, q, k)
    if mask.left is not None and q - k >= mask.left:
        return False
    if mask.right is not None and k - q > mask.right:
        return False
    if mask.documents is not None:
        numbers = [n for n, length in enumerate(mask.documents) for _ in range(length)]
        if numbers[q] != numbers[k]:
            return False
    if isinstance(mask.padding, tuple):
        start, end = mask.padding[b]
        return start <= k < end
    return True


def sees_in_its_row(mask: Mask, q: int, k: int) -> bool:
    """The definition with rows: query and key are counted within their rows."""
    rows = mask.rows or ()
    queries = [(n, i) for n, (queries, _) in enumerate(rows) for i in range(queries)]
    keys = [(n, j) for n, (_, keys) in enumerate(rows) for j in range(keys)]
    (row, i), (other, j) = queries[q - len(keys) + len(queries)], keys[k]
    position = i + rows[row][1] - rows[row][0]
    return row == other and sees(Mask(mask.left, mask.right), 0, position, j)


def dense(mask: Mask, batch: int, query_length: int, key_length: int) -> np.ndarray:
    """[B, Tq, Tk], the last query lined up with the last key."""
    offset = key_length - query_length
    return np.array(
        [
            [[sees(mask, b, i + offset, k) for k in range(key_length)] for i in range(query_length)]
            for b in range(batch)
        ]
    )


def picture(mask: Mask, query_length: int, key_length: int) -> str:
    """One line a query, `x` where a key is seen."""
    offset = key_length - query_length
    rows = (
        "".join("x" if mask.visible(0, i + offset, k) else "." for k in range(key_length))
        for i in range(query_length)
    )
    return " ".join(rows)


@pytest.mark.parametrize(
    ("text", "query_length", "key_length", "drawn"),
    [
        ("full", 2, 3, "xxx xxx"),
        ("causal", 3, 3, "x.. xx. xxx"),
        ("causal", 2, 4, "xxx. xxxx"),
        ("causal", 4, 2, ".. .. x. xx"),
        ("window:1", 3, 3, "x.. .x. ..x"),
        ("window:2", 4, 4, "x... xx.. .xx. ..xx"),
        ("window:2:1", 4, 4, "xx.. xxx. .xxx ..xx"),
        ("window:*:1", 3, 3, "xx. xxx xxx"),
        ("window:1:*", 3, 3, "xxx .xx ..x"),
        ("window:2", 2, 4, ".xx. ..xx"),
        ("padding:1-3", 2, 4, ".xx. .xx."),
        ("documents:1/2", 3, 3, "x.. .xx .xx"),
        ("rows:1/2+2/1", 3, 3, "xx. ..x ..x"),
        ("causal+rows:2/3+1/2", 3, 5, "xx... xxx.. ...xx"),
        ("causal+rows:3/2", 3, 2, ".. x. xx"),
        ("window:1+rows:2x1/2", 2, 4, ".x.. ...x"),
        ("causal+documents:2x2", 4, 4, "x... xx.. ..x. ..xx"),
        ("window:2+padding:1-4", 4, 4, ".... .x.. .xx. ..xx"),
    ],
)
def test_a_mask_lets_through_the_keys_in_its_picture(
    text: str, query_length: int, key_length: int, drawn: str
) -> None:
    assert picture(Mask.parse(text), query_length, key_length) == drawn


@UNHURRIED
@given(situations())
def test_ints_arrays_and_tensors_see_what_the_definition_says(situation: Situation) -> None:
    mask, batch, query_length, key_length = situation
    expected = dense(*situation)
    offset = key_length - query_length
    for (b, i, k), seen in np.ndenumerate(expected):
        assert mask.visible(b, i + offset, k) == seen
    b, i, k = np.ogrid[:batch, :query_length, :key_length]
    array = mask.visible(b, i + offset, k)
    assert array.dtype == np.bool_
    np.testing.assert_array_equal(np.broadcast_to(array, expected.shape), expected)
    tensor = mask.visible(*(torch.from_numpy(each) for each in (b, i + offset, k)))
    assert tensor.dtype == torch.bool
    assert torch.equal(tensor.expand(expected.shape), torch.from_numpy(expected))


@UNHURRIED
@given(situations())
def test_the_dense_mask_has_every_visible_pair(situation: Situation) -> None:
    mask, batch, query_length, key_length = situation
    expected = torch.from_numpy(dense(*situation))
    found = mask.dense(batch, query_length, key_length, torch.device("cpu"))
    assert found.shape == (expected[0] if mask.padding is None else expected[:, None]).shape
    assert torch.equal(found.reshape(-1, *expected.shape[1:]).expand(expected.shape), expected)


def test_a_dense_mask_made_in_inference_mode_serves_training() -> None:
    with torch.inference_mode():
        assert not CAUSAL.dense(1, 4, 4, torch.device("cpu")).is_inference()


@UNHURRIED
@given(situations())
def test_the_interval_of_a_query_holds_exactly_the_keys_it_sees(situation: Situation) -> None:
    mask, batch, query_length, key_length = situation
    expected = dense(*situation)
    for b in range(batch):
        for i in range(query_length):
            keys = np.flatnonzero(expected[b, i]).tolist()
            start, end = mask.interval(b, i + key_length - query_length, key_length)
            assert list(range(start, end)) == keys
            assert keys or (start, end) == (0, 0)


@UNHURRIED
@given(situations(), st.data())
def test_no_query_of_a_block_sees_a_key_outside_its_span(
    situation: Situation, data: st.DataObject
) -> None:
    mask, _, query_length, key_length = situation
    first = data.draw(st.integers(0, query_length - 1))
    last = data.draw(st.integers(first, query_length - 1))
    offset = key_length - query_length
    start, end = mask.span(first + offset, last + offset, key_length)
    seen = dense(*situation)[:, first : last + 1]
    assert 0 <= start <= end <= key_length
    assert not seen[:, :, :start].any()
    assert not seen[:, :, end:].any()


@UNHURRIED
@given(situations(), st.data())
def test_the_span_of_one_batch_row_begins_and_ends_with_a_key_that_is_seen(
    situation: Situation, data: st.DataObject
) -> None:
    mask, batch, query_length, key_length = situation
    if isinstance(mask.padding, tuple):
        mask, batch = replace(mask, padding=mask.padding[:1]), 1
    first = data.draw(st.integers(0, query_length - 1))
    last = data.draw(st.integers(first, query_length - 1))
    offset = key_length - query_length
    seen = dense(mask, batch, query_length, key_length)[0, first : last + 1].any(axis=0)
    keys = np.flatnonzero(seen).tolist()
    tightest = (keys[0], keys[-1] + 1) if keys else (0, 0)
    assert mask.span(first + offset, last + offset, key_length) == tightest


@UNHURRIED
@given(situations(), st.data())
def test_a_block_is_covered_if_and_only_if_every_pair_in_it_is_visible(
    situation: Situation, data: st.DataObject
) -> None:
    mask, _, query_length, key_length = situation
    first = data.draw(st.integers(0, query_length - 1))
    last = data.draw(st.integers(first, query_length - 1))
    start = data.draw(st.integers(0, key_length - 1))
    end = data.draw(st.integers(start + 1, key_length))
    offset = key_length - query_length
    covered = mask.covers(first + offset, last + offset, start, end, key_length)
    assert covered == dense(*situation)[:, first : last + 1, start:end].all()


@pytest.mark.parametrize(
    ("text", "query_length"),
    [
        *product(
            ["full", "causal", "window:2", "window:2:1", "window:*:1", "window:1:*",
             "padding:0-4/2-5", "padding:0-0/1-5", "window:3+padding:2-4/0-5"],
            [4, 5, 6],
        ),
        ("documents:2/3", 5),
        ("causal+padding:0-4/1-5+documents:1x2/3", 5),
        ("causal+rows:3/2+1/3", 4),
        ("window:2:1+rows:2/2+1/2+2/1", 5),
    ],
)  # fmt: skip
def test_every_block_of_a_small_problem_is_told_apart(text: str, query_length: int) -> None:
    mask, key_length = Mask.parse(text), 5
    seen, offset = dense(mask, 2, query_length, key_length), key_length - query_length
    for first, last in combinations(range(query_length + 1), 2):
        for start, end in combinations(range(key_length + 1), 2):
            covered = mask.covers(first + offset, last - 1 + offset, start, end, key_length)
            assert covered == seen[:, first:last, start:end].all()
        start, end = mask.span(first + offset, last - 1 + offset, key_length)
        assert not seen[:, first:last, [*range(start), *range(end, key_length)]].any()


@UNHURRIED
@given(situations(shares=True))
def test_a_mask_hides_a_key_unless_every_pair_is_visible(situation: Situation) -> None:
    mask, batch, query_length, key_length = situation
    spelled_out = mask.resolved(batch, key_length)
    hidden = not dense(spelled_out, batch, query_length, key_length).all()
    assert mask.hides_a_key(batch, query_length, key_length) == hidden


@UNHURRIED
@given(situations(shares=True))
def test_visible_pairs_counts_every_visible_triple(situation: Situation) -> None:
    mask, batch, query_length, key_length = situation
    spelled_out = mask.resolved(batch, key_length)
    expected = int(dense(spelled_out, batch, query_length, key_length).sum())
    assert mask.visible_pairs(batch, query_length, key_length) == expected


@pytest.mark.parametrize(
    ("batch", "key_length", "ranges"),
    [
        (1, 10, ((0, 5),)),
        (2, 10, ((0, 5), (0, 10))),
        (3, 8, ((0, 4), (2, 8), (0, 8))),
        (5, 8, ((0, 4), (3, 8), (0, 6), (1, 8), (0, 8))),
    ],
)
def test_a_padding_share_falls_evenly_on_alternate_sides(
    batch: int, key_length: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    assert Mask.parse("causal+padding:0.5").resolved(batch, key_length) == Mask(
        right=0, padding=ranges
    )


@UNHURRIED
@given(situations())
def test_a_mask_without_a_padding_share_is_resolved_already(situation: Situation) -> None:
    mask, batch, _, key_length = situation
    assert mask.resolved(batch, key_length) is mask


def test_a_padding_share_says_that_it_must_be_resolved_first() -> None:
    mask = Mask(padding=0.5)
    sentence = r"mask padding:0\.5: resolve its padding for a batch and a key length first"
    with pytest.raises(ValueError, match=sentence):
        mask.visible(0, 1, 1)
    with pytest.raises(ValueError, match=sentence):
        mask.interval(0, 1, 4)
    with pytest.raises(ValueError, match=sentence):
        mask.span(0, 1, 4)
    with pytest.raises(ValueError, match=sentence):
        mask.covers(0, 1, 0, 1, 4)


@UNHURRIED
@given(situations(shares=True))
def test_a_printed_mask_is_read_back_as_itself(situation: Situation) -> None:
    mask = situation[0]
    assert Mask.parse(str(mask)) == mask


@UNHURRIED
@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_padding_share_with_many_digits_is_read_back_as_itself(share: float) -> None:
    mask = Mask(padding=share)
    assert Mask.parse(str(mask)) == mask


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("full", Mask()),
        ("causal", Mask(right=0)),
        ("window:256", Mask(left=256, right=0)),
        ("window:256:64", Mask(left=256, right=64)),
        ("window:8:*", Mask(left=8)),
        ("window:*:8", Mask(right=8)),
        ("causal+documents:512x4", Mask(right=0, documents=(512,) * 4)),
        ("documents:3/5x2/3", Mask(documents=(3, 5, 5, 3))),
        ("rows:3/5", Mask(rows=((3, 5),))),
        ("causal+rows:2x1/4096+5/8", Mask(right=0, rows=((1, 4096), (1, 4096), (5, 8)))),
        ("window:4:3+rows:1/2+1/3+1/2", Mask(left=4, right=3, rows=((1, 2), (1, 3), (1, 2)))),
        ("window:256+padding:0.5", Mask(left=256, right=0, padding=0.5)),
        ("padding:0-3/2-4", Mask(padding=((0, 3), (2, 4)))),
    ],
)
def test_the_words_of_a_mask(text: str, mask: Mask) -> None:
    assert Mask.parse(text) == mask
    assert str(mask) == text


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("window:*:*", "full"),
        ("window:*:0", "causal"),
        ("window:*", "causal"),
        ("window:5:0", "window:5"),
        ("full+padding:.5", "padding:0.5"),
        ("documents:4x1/4", "documents:4x2"),
        ("rows:1/4+1/4+2x1/4+causal", "causal+rows:4x1/4"),
        ("2q1ks8k", "causal+rows:2x1024/8192"),
        ("q1s4k", "causal+rows:1/4096"),
        ("2q1k_32q1s1k_q5s9", "causal+rows:2x1024/1024+32x1/1024+5/9"),
        ("documents:2x2+padding:0.5+causal", "causal+padding:0.5+documents:2x2"),
    ],
)
def test_one_mask_has_one_printed_form(typed: str, printed: str) -> None:
    assert str(Mask.parse(typed)) == printed


@UNHURRIED
@given(situations(shares=True))
def test_the_kind_of_every_mask_is_one_that_limits_can_name(situation: Situation) -> None:
    assert situation[0].kind in EVERY_MASK


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("full", "full"),
        ("causal", "causal"),
        ("window:7", "window"),
        ("window:*:7", "window"),
        ("padding:0.5", "padding"),
        ("window:7+padding:0.5", "window+padding"),
        ("causal+padding:0-2+documents:1x2", "causal+padding+documents"),
        ("rows:3x1/2+4/5", "rows"),
        ("window:3+rows:3x1/2+4/5", "window+rows"),
    ],
)
def test_the_kind_is_the_parts_without_their_numbers(text: str, kind: str) -> None:
    assert Mask.parse(text).kind == kind


def test_only_the_mask_without_parts_is_full() -> None:
    assert FULL.is_full
    assert Mask.parse("full").is_full
    assert not CAUSAL.is_full
    assert not Mask(left=10**9).is_full
    assert not Mask(documents=(4,)).is_full


def test_a_mask_is_a_value() -> None:
    assert Mask(right=0) == CAUSAL
    assert hash(Mask(right=0)) == hash(CAUSAL)
    with pytest.raises(FrozenInstanceError):
        CAUSAL.right = 1  # type: ignore[misc] # what the test is about


@pytest.mark.parametrize(
    "text",
    ["", "casual", "window", "window:", "window:-1", "window:1:2:3", "padding", "padding:2",
     "padding:1-2/", "documents", "documents:", "documents:3x", "causal+", "window:1.5",
     "rows", "rows:", "rows:3", "rows:0x1/2", "rows:1/2+", "causal+1/2",
     "q", "0q1s2", "q1s2_", "q1k2"],
)  # fmt: skip
def test_what_is_no_mask_is_answered_with_the_grammar(text: str) -> None:
    with pytest.raises(ValueError, match=r"^unknown mask '.*'; expected full, causal, window:LEFT"):
        Mask.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "causal+window:5",
        "window:5+q1s2",
        "rows:1/2+rows:1/2",
        "padding:0.5+padding:0-1",
        "causal+causal",
    ],
)
def test_a_part_that_is_named_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names one part twice; expected each at most once"):
        Mask.parse(text)


def test_a_left_reach_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="left reach is 0, expected at least 1, the own key"):
        Mask.parse("window:0")


def test_a_negative_right_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="right reach is -1, expected 0 or more"):
        Mask(right=-1)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_padding_share_outside_zero_to_one_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"of the keys, expected between 0 and 1"):
        Mask(padding=share)


@pytest.mark.parametrize("pair", [(3, 2), (-1, 2)])
def test_a_padding_range_that_runs_backwards_is_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"padding: ranges .* expected 0 <= start <= end"):
        Mask(padding=((0, 1), pair))


def test_a_padding_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="padding"):
        Mask(padding=())


@pytest.mark.parametrize("text", ["documents:0", "documents:4/0", "documents:4x0"])
def test_documents_without_a_token_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"documents: lengths .* expected 1 or more each"):
        Mask.parse(text)


@pytest.mark.parametrize("text", ["rows:0/4", "rows:1/2+4/0", "q0s4"])
def test_rows_without_a_query_or_a_key_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rows: Tq and Tk .* expected 1 or more each"):
        Mask.parse(text)


@pytest.mark.parametrize("other", ["padding:0.5", "padding:0-2", "documents:3"])
def test_rows_beside_padding_or_documents_are_refused(other: str) -> None:
    with pytest.raises(ValueError, match="rows beside padding or documents, expected a band"):
        Mask.parse(f"{other}+rows:1/3")
