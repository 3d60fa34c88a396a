"""Biases: their words, and the arithmetic of distances and buckets against a formula apart."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Bias, BiasValues
from impls.interface.bias import FARTHEST, bucket

UNHURRIED = settings(deadline=None)
BUCKETS = st.integers(1, 64).map(lambda n: 2 * n)
DISTANCES = torch.arange(-400, 401)


def by_logarithm(distance: int, buckets: int) -> int:
    """The row of the table by arXiv 1910.10683, for a query's position minus a key's."""
    half, apart = buckets // 2, abs(distance)
    exact = half // 2
    if apart < exact:
        row = apart
    else:
        grown = log(apart / exact) / log(FARTHEST / exact) * (half - exact)
        row = min(half - 1, exact + int(grown + 1e-9))  # a boundary belongs to the row it begins
    return row + half * (distance < 0)


@pytest.mark.parametrize("text", ["none", "alibi", "relative:32", "dense"])
def test_a_printed_bias_is_read_back_as_itself(text: str) -> None:
    assert str(Bias.parse(text)) == text


def test_an_unknown_bias_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown bias 'rope'; expected none, alibi, relative:BUC"):
        Bias.parse("rope")


@pytest.mark.parametrize(
    ("kind", "buckets"), [("relative", 0), ("alibi", 4), ("none", 2), ("relative", 7)]
)
def test_an_even_number_of_buckets_belongs_to_relative_biases_only(kind: str, buckets: int) -> None:
    with pytest.raises(
        ValueError, match=f"bias {kind} with {buckets} buckets; expected relative:BUCKETS, an even"
    ):
        Bias(kind, buckets)


@pytest.mark.parametrize("buckets", [4, 8, 20, 32, 64, 128])
def test_buckets_grow_with_the_logarithm_of_the_distance(buckets: int) -> None:
    rows = [bucket(distance, buckets) for distance in DISTANCES.tolist()]
    assert rows == [by_logarithm(distance, buckets) for distance in DISTANCES.tolist()]


def test_the_buckets_of_thirty_two_are_those_of_the_paper() -> None:
    firsts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    rows = [bucket(distance, 32) for distance in range(400)]
    assert [rows.index(row) for row in range(16)] == firsts
    assert [bucket(-distance, 32) for distance in range(1, 400)] == [row + 16 for row in rows[1:]]


@UNHURRIED
@given(BUCKETS, st.integers(-(10**6), 10**6))
def test_a_bucket_is_the_same_for_ints_arrays_and_tensors(buckets: int, distance: int) -> None:
    row = bucket(distance, buckets)
    assert bucket(np.array([distance]), buckets).tolist() == [row]
    assert bucket(torch.tensor([distance]), buckets).tolist() == [row]


@UNHURRIED
@given(BUCKETS)
def test_rows_never_fall_with_the_distance_and_stay_within_their_side(buckets: int) -> None:
    behind = bucket(torch.arange(1000), buckets)
    ahead = bucket(-torch.arange(1, 1000), buckets)
    assert (behind.diff() >= 0).all()
    assert (ahead.diff() >= 0).all()
    assert (int(behind[0]), int(behind[-1])) == (0, buckets // 2 - 1)
    assert buckets // 2 <= int(ahead[0]) <= int(ahead[-1]) == buckets - 1
    assert (behind[FARTHEST:] == buckets // 2 - 1).all()


def values(kind: str, heads: int = 3, buckets: int = 8) -> BiasValues:
    shape = (heads,) if kind == "alibi" else (heads, buckets)
    return BiasValues(kind, torch.randn(shape, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("kind", ["alibi", "relative"])
def test_what_is_added_at_a_distance_is_looked_up_head_by_head(kind: str) -> None:
    bias, distances = values(kind), torch.tensor([[0, 5, -5], [200, -1, 1]])
    made = bias.at(distances)
    assert made.shape == (3, 2, 3)
    for (head, row, column), number in np.ndenumerate(made.numpy()):
        distance = int(distances[row, column])
        if kind == "alibi":
            assert number == -bias.values[head] * abs(distance)
        else:
            assert number == bias.values[head, by_logarithm(distance, 8)]


@UNHURRIED
@given(
    st.sampled_from(["alibi", "relative"]),
    st.integers(-200, 200),
    st.integers(1, 9),
    st.integers(-200, 200),
    st.integers(1, 9),
)
def test_what_lies_between_queries_and_keys_is_what_is_at_their_distances(
    kind: str, first: int, queries: int, first_key: int, keys: int
) -> None:
    bias = values(kind)
    positions, columns = range(first, first + queries), range(first_key, first_key + keys)
    distances = torch.tensor(list(positions))[:, None] - torch.tensor(list(columns))
    assert torch.equal(bias.between(positions, columns), bias.at(distances))


DENSE = BiasValues("dense", torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(4)))
"""Four queries over nine keys: the first query has position 5."""


def test_a_dense_bias_has_a_number_for_each_pair() -> None:
    positions, keys = torch.arange(5, 9), torch.arange(9)
    assert torch.equal(DENSE.of_pairs(positions[:, None], keys), DENSE.values)
    assert torch.equal(DENSE.of_pairs(6, keys), DENSE.values[:, 1])
    assert torch.equal(DENSE.between(range(5, 9), range(9)), DENSE.values)
    assert torch.equal(DENSE.between(range(6, 8), range(2, 5)), DENSE.values[:, 1:3, 2:5])


def test_keys_of_the_padding_of_a_kernel_get_no_dense_bias() -> None:
    found = DENSE.between(range(5, 9), range(16))
    assert torch.equal(found[..., :9], DENSE.values)
    assert not found[..., 9:].any()


def test_more_queries_than_keys_have_negative_positions_in_a_dense_bias() -> None:
    bias = BiasValues("dense", DENSE.values.mT)
    assert torch.equal(bias.between(range(-5, 4), range(4)), bias.values)
    assert torch.equal(bias.of_pairs(torch.tensor([-5, 3]), 1), bias.values[:, [0, 8], 1])


@pytest.mark.parametrize("kind", ["alibi", "relative"])
def test_the_bias_of_pairs_is_that_of_their_distances(kind: str) -> None:
    positions, keys = torch.arange(-3, 5)[:, None], torch.arange(6)
    bias = values(kind)
    assert torch.equal(bias.of_pairs(positions, keys), bias.at(positions - keys))


def test_a_dense_bias_has_no_value_for_a_distance() -> None:
    with pytest.raises(ValueError, match=r"a dense bias has no value for a distance: call bias\."):
        DENSE.at(torch.tensor([0]))
