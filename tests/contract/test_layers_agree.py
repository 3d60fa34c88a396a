"""Every layer, with its projections, agrees with the reference on what it accepts."""

from __future__ import annotations

from impls.interface import Implementation, Problem
from tests.contract.found import LAYERS, fault, pairs


@pairs(LAYERS)
def test_it_agrees(problem: Problem, each: Implementation) -> None:
    assert fault(problem, each) == ""
