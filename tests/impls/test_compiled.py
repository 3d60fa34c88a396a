"""The compiled formula: whether torch's compiler replaced it by SDPA, and what it computes."""

from __future__ import annotations

import pytest

from impls.compiled import compiled
from impls.interface import Problem
from suites.agreement.checker import Checker, Finding
from suites.measure.compilers import raise_limits


def checked(words: str) -> Finding:
    """The finding on the problem itself, without hard inputs of other sizes."""
    raise_limits()
    return Checker(Problem.parse(words), seed=3, labels=()).check(compiled)


def test_the_full_formula_is_replaced_by_sdpa_and_recorded_as_such() -> None:
    found = checked("b1 h2 t64 d16")
    assert found.fault == ""
    assert found.operator == "is SDPA: replaced by scaled_dot_product_attention (flash)"
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in str(found.kernels)


@pytest.mark.parametrize(
    "words",
    [
        "b1 h2 t64 d16 causal",
        "b2 h4/2 t33/65 d16 dv8 causal+padding:0.3 alibi softcap5.0 sink train",
        "b2 h4/2 t33/65 d16 causal+padding:0.3 dense train",
    ],
)
def test_masked_formulas_stay_own_loops(words: str) -> None:
    found = checked(words)
    assert found.fault == ""
    assert found.operator == "own loops"


def test_queries_without_a_key_get_zeros_and_finite_gradients() -> None:
    assert checked("b2 h2 t65/33 d16 causal train").fault == ""
