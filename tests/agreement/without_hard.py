"""Checks without the hard inputs, which take most of their time."""

from __future__ import annotations

from impls.interface import Problem
from suites.agreement.checker import Checker


def without_hard_inputs(problem: Problem, seed: int) -> Checker:
    """A checker of the problem itself alone."""
    return Checker(problem, seed, labels=())
