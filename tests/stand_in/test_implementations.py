"""The whole check of every implementation, forward and training, with all tensors on a device."""

from __future__ import annotations

from functools import lru_cache

import pytest

import impls
from impls.interface import Implementation, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DTYPES
from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from tests.contract.found import FOUND, KNOWN, WRITTEN
from tests.stand_in.runtime import Runtime

CAPABILITY = (9, 0)
NOT_EMULATED = ("xformers",)
"""Implementations whose kernels the stand-in does not have."""
CHOSEN = impls.select(
    [
        *("chunked[block_q=64,block_k=64]", "int8_attention[block=16]"),
        *("linear[block=32]", "performer[features=64,block=32]"),
        *("multi_head(chunked)", "multi_head(naive)", "multi_head(sdpa_math)"),
    ],
    KNOWN,
)
"""Implementations with other settings than their defaults, or with another one inside."""
EVERY = [
    *(each for each in FOUND if each.name not in NOT_EMULATED),
    *CHOSEN,
    *WRITTEN,
]
PROBLEMS = [
    Problem.parse(f"{words} cuda")
    for words in (
        "b2 h4/2 t33/129 d16 causal",
        "b2 h4 t65 d16 full bf16 train bthd",
        "b2 h4 t65 d16 causal bf16 train",
        "b1 h4 t1/65 d16 causal fp16",
        "b2 h4 t65/33 d16 causal train",
        "b3 h4/2 t65 d16 window+padding relative:32 dv8 softcap30 sink train",
        "b2 h4 t65 d16 window:9:8 bf16 sink",
        "b2 h4/1 t33/65 d16 causal+padding fp64 softcap30 train",
        "b2 h4 t65 d16 causal+documents alibi fp16 bthd train",
        "b2 h4 t65 d16 window+documents train",
        "b2 h4 t65 d16 padding+documents",
        "b2 h4 t65 d16 causal+padding+documents bf16",
        "b2 h4 t65 d16 window+padding+documents",
        "b2 h4 t65 d16 documents bf16",
        "b2 h4 t65 d16 padding alibi scale0.3",
    )
    for words in (
        words.replace("padding", "padding:0.5")
        .replace("documents", "documents:33/32")
        .replace("window+", "window:9+"),
    )
]
LARGE = [Problem.parse(f"b1 h8 t1500 d16 causal bf16 {words} cuda") for words in ("", "train")]
"""Of so many scores that query rows are sampled."""
SAMPLED = impls.select(["naive", "sdpa_flash", "linear", "int8_attention"], KNOWN)


def pairs(problems: list[Problem], group: list[Implementation]) -> pytest.MarkDecorator:
    """Parameters: every problem with every implementation that accepts it."""
    cases = [
        pytest.param(problem, each, id=f"{problem}-{each}")
        for problem in problems
        for each in group
        if not each.refusals(problem, CAPABILITY)
    ]
    return pytest.mark.parametrize(("problem", "each"), cases)


def test_the_problems_have_every_feature_of_the_contract() -> None:
    assert {p.mask.kind for p in PROBLEMS} == set(EVERY_MASK)
    assert {p.bias.kind for p in PROBLEMS} == set(EVERY_BIAS)
    assert {p.dtype for p in PROBLEMS} == set(DTYPES)
    assert {p.layout for p in PROBLEMS} == {"bhtd", "bthd"}
    for has in (
        lambda p: p.query_heads > p.key_heads,
        lambda p: p.query_length < p.key_length,
        lambda p: p.has_keyless_rows,
        lambda p: p.value_dim is not None,
        lambda p: p.softcap is not None,
        lambda p: p.sink,
        lambda p: p.scale is not None,
    ):
        assert any(has(p) for p in PROBLEMS)


@pytest.mark.parametrize("each", EVERY, ids=str)
def test_every_implementation_is_checked_in_each_pass_that_it_has(each: Implementation) -> None:
    accepted = [p for p in PROBLEMS if not each.refusals(p, CAPABILITY)]
    backward = any(limits.backward for limits in each.limits)
    assert {p.training for p in accepted} >= ({False, True} if backward else {False})


@pairs(PROBLEMS, EVERY)
def test_it_agrees(cuda: Runtime, problem: Problem, each: Implementation) -> None:
    assert _checker(problem).check(each).reason == ""


@pairs(LARGE, SAMPLED)
def test_it_agrees_where_rows_are_sampled(
    cuda: Runtime, problem: Problem, each: Implementation
) -> None:
    assert _checker(problem).check(each).reason == ""


_FOUND: HardFindings = {}


@lru_cache(maxsize=1)
def _checker(problem: Problem) -> Checker:
    """Kept for the next implementation: the reference of a problem is computed once."""
    return Checker(problem, seed=11, hard_findings=_FOUND)
