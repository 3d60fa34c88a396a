"""Packed rows as a padded batch: the places of the padding, the output and the gradients."""

from __future__ import annotations

import pytest
import torch

from impls import reference
from impls.interface import Mask, Problem
from impls.interface.implementation import from_function
from impls.sdpa_padded import padding_of, sdpa_padded
from suites.measure.inputs import bind, call_of, make_inputs

DEFINITION = from_function(reference.attention)


def test_padding_stands_in_front_and_repeats_the_first_place_of_its_row() -> None:
    made = padding_of(Mask.parse("causal+rows:1/3+2/2"), torch.device("cpu"))
    assert made.queries.tolist() == [[0, 0], [1, 2]]
    assert made.keys.tolist() == [[0, 1, 2], [3, 3, 4]]
    assert made.packed.tolist() == [1, 2, 3]
    assert made.seen.int().tolist() == [[[[1, 1, 1], [1, 1, 1]]], [[[0, 1, 0], [0, 1, 1]]]]


@pytest.mark.parametrize(
    "text",
    [
        "h4/2 d8 rows:1/9+5/3+4/4",
        "h4/2 d8 causal+rows:3x1/9+5/3+4/4 bthd",
        "h2 d8 dv5 window:3:1+rows:2/9+1/1+6/4 scale0.3",
        "h2 d8 causal+rows:7/9",
    ],
)
def test_output_and_gradients_are_those_of_the_definition(text: str) -> None:
    problem = Problem.parse(f"{text} fp64 train")
    assert sdpa_padded.refusals(problem) == ()
    given = make_inputs(problem, purpose="test")
    made, wanted = (
        call_of(bind(each, problem, given), given)() for each in (sdpa_padded, DEFINITION)
    )
    for got, exact in zip(made, wanted, strict=True):
        torch.testing.assert_close(got, exact, rtol=0, atol=1e-12)


def test_the_longest_row_sets_the_size_of_all() -> None:
    made = padding_of(Mask.parse("causal+rows:30x1/64+512/1024"), torch.device("cpu"))
    assert made.queries.shape == (31, 512)
    assert made.keys.shape == (31, 1024)


@pytest.mark.parametrize("mask", ["causal", "documents:8", "padding:0.5"])
def test_other_masks_are_refused_in_words(mask: str) -> None:
    (reason,) = sdpa_padded.refusals(Problem.parse(f"t8 {mask}"))
    assert reason.endswith(": takes rows, causal+rows, window+rows")
