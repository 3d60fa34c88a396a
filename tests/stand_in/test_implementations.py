"""The whole check of every implementation, forward and training, with all tensors on a device."""

from __future__ import annotations

from functools import lru_cache

import pytest

import impls
from impls.interface import Implementation, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DTYPES
from suites.agreement.bounds import expected
from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from tests.contract.covering import features, few
from tests.contract.found import FOUND, KNOWN, WRITTEN
from tests.stand_in.runtime import Runtime

CAPABILITY = (9, 0)
NOT_EMULATED = ("xformers", "flex", "compiled", "triton_flash")
"""Implementations whose kernels the stand-in does not have; no compiler writes for it."""
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
    each
    for each in (*FOUND, *WRITTEN)
    if each.name not in NOT_EMULATED
    and not each.takes_group  # its ranks need NCCL
    and any("cuda" in limits.devices for limits in each.limits)
]
PROBLEMS = [
    Problem.parse(f"{words} cuda")
    for words in (
        "b2 h4 t65 d16 causal bf16 train bthd",
        "b1 h4/2 d16 causal+rows:3x1/33+20/40+5/5 bf16 train bthd",
        "b1 h4 d16 window:9+rows:2x4/33+7/7 fp16",
        "b3 h4/2 t65 d16 window:9+padding:0.5 relative:32 dv8 softcap30 sink train",
        "b2 h4/1 t65/33 d16 causal train",
        "b1 h4 t65 d16 window:9+documents:33/32 fp64 train",
        "b2 h4 t65 d16 full train",
        "b2 h4 t65 d16 causal",
        "b2 h4 t33/65 d16 causal+padding:0.5 alibi fp16",
        "b2 h4 t65 d16 causal+documents:33/32 scale0.3",
        "b1 h4/2 t1/65 d16 full bf16",
        "b2 h4 t33/65 d16 causal+padding:0.5 dense bf16 train",
        "b2 h4 t65 d16 window:9:8 fp16",
        "b2 h4 t65 d16 window:9+padding:0.5 train",
        "b2 h4 t65 d16 padding:0.5+documents:33/32 bf16",
    )
]
SAMPLED = Problem.parse("b1 h4 t300 d16 causal bf16 train cuda")
"""Its query rows are sampled where that begins at fewer scores."""


def covering(each: Implementation) -> list[Problem]:
    """Few problems with every feature that an implementation takes."""
    return few([p for p in PROBLEMS if not each.refusals(p, CAPABILITY)])


CASES = [(problem, each) for each in EVERY for problem in covering(each)]
CASES += [(covering(each)[-1], each) for each in CHOSEN]
CASES.sort(key=lambda case: str(case[0]))  # problem by problem: they share a reference


def test_the_problems_have_every_feature_of_the_contract() -> None:
    found = set().union(*map(features, PROBLEMS))
    assert found >= {part for kind in EVERY_MASK for part in kind.split("+")}
    assert found >= {("bias", kind) for kind in EVERY_BIAS}
    assert found >= {*DTYPES, "bhtd", "bthd", -1, 0, 1, ("grouped", True)}
    assert found >= {"value_dim", "softcap", "sink", "scale", "has_keyless_rows"}


@pytest.mark.parametrize("each", EVERY, ids=str)
def test_every_implementation_is_checked_in_each_pass_that_it_has(each: Implementation) -> None:
    backward = any(limits.backward for limits in each.limits)
    assert {p.training for p in covering(each)} >= ({False, True} if backward else {False})


@pytest.mark.parametrize(("problem", "each"), CASES, ids=str)
def test_it_agrees(cuda: Runtime, problem: Problem, each: Implementation) -> None:
    assert _checker(problem).check(each).reason == ""


@pytest.mark.parametrize("name", ["naive", "linear", "multi_head(naive)"])
def test_it_agrees_where_rows_are_sampled(
    cuda: Runtime, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "ALL_ROWS_UP_TO", 1 << 16)
    assert expected.sampled_rows(SAMPLED, seed=3) is not None
    (each,) = impls.select([name], KNOWN)
    assert Checker(SAMPLED, seed=3, labels=()).check(each).reason == ""


_FOUND: HardFindings = {}


@lru_cache(maxsize=1)
def _checker(problem: Problem) -> Checker:
    """Kept for the next implementation: the reference of a problem is computed once."""
    return Checker(problem, seed=11, hard_findings=_FOUND)
