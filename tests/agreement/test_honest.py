"""Implementations that are right in an unusual form, every one of which the check has to accept."""

from __future__ import annotations

from functools import cache

import pytest

from impls.interface import Problem
from suites.agreement.checker import Checker
from tests.agreement.asked import Answer, implementation_of
from tests.agreement.honest import HONEST, keys_shuffled_anew_each_time

PROBLEMS = (
    "b2 h4/2 t70 d32 window:9:5 train",
    "b2 h2 t65 d16 causal+padding:0.5 bthd",
    "b1 h2 t97 d64 causal bf16 train",
    "b2 h4 t64 d64 full fp16 train",
)


@cache
def checker(problem: str) -> Checker:
    """One for all: its references are computed once."""
    return Checker(Problem.parse(problem), seed=7)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("answer", HONEST, ids=lambda answer: answer.__name__)
def test_an_unusual_form_is_accepted(answer: Answer, problem: str) -> None:
    assert checker(problem).check(implementation_of(answer)).fault == ""


def test_an_order_of_sums_drawn_anew_is_accepted_and_said() -> None:
    found = checker(PROBLEMS[0]).check(implementation_of(keys_shuffled_anew_each_time))
    assert found.fault == ""
    assert found.agreement.repeatable is False
