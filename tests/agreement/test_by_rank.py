"""Ranks are named by the rows that are wrong."""

from __future__ import annotations

from dataclasses import replace

import torch

from impls.interface import Implementation, Limits, Mask, Problem, implementation
from suites.agreement import by_rank
from suites.agreement.bounds.by_implementation import expected_of
from suites.measure.inputs import make_inputs

PROBLEM = Problem.parse("b1 h2 t16 d8 causal train ranks4")


@implementation(Limits(ranks=True))
def contiguous(q: object, k: object, v: object, *, mask: Mask, scale: float, group: object) -> None:
    """Of a group."""


def named(each: Implementation, wrong: dict[str, list[int]]) -> str:
    """The ranks that are named where these rows of tensors are off."""
    inputs = make_inputs(PROBLEM, purpose="test")
    expected = expected_of(each, PROBLEM, inputs, None)
    made = {name: value.float().clone() for name, value in expected.values.items()}
    for name, rows in wrong.items():
        made[name][:, :, torch.tensor(rows)] += 1
    return by_rank.named(tuple(made.values()), expected, PROBLEM, each)


def test_the_rows_of_one_rank_name_it_with_all_its_tensors() -> None:
    assert named(contiguous, {"out": [13], "dq": [12, 15]}) == (
        "rank 3's rows (12 to 15) of out and dq are wrong, those of the other ranks agree"
    )


def test_a_zigzag_rank_has_the_rows_of_two_chunks() -> None:
    zigzag = replace(contiguous, shards="zigzag")
    assert named(zigzag, {"dk": [14]}) == (
        "rank 0's rows (0 to 1, 14 to 15) of dk are wrong, those of the other ranks agree"
    )


def test_faults_of_every_rank_are_said_to_be_of_all() -> None:
    rows = [0, 4, 8, 12]
    assert named(contiguous, {"dk": rows, "dv": rows}) == (
        "dk and dv: wrong in the rows of all 4 ranks"
    )
    assert named(contiguous, {}) == ""
