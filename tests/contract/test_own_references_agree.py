"""Every implementation with a reference of its own agrees with that on what it accepts."""

from __future__ import annotations

from impls.interface import Implementation, Problem
from tests.contract.found import OWN_REFERENCE, fault, pairs


@pairs(OWN_REFERENCE)
def test_it_agrees(problem: Problem, each: Implementation) -> None:
    assert fault(problem, each) == ""
