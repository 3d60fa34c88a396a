"""Checks of the honest forms, with one checker per problem: reference values are computed once."""

from __future__ import annotations

from functools import cache

from impls.interface import Problem
from suites.agreement.checker import Checker, Finding
from tests.agreement.attention_call import Form, implementation_of


@cache
def _checker(problem: str) -> Checker:
    return Checker(Problem.parse(problem), seed=7)


def check(form: Form, problem: str) -> Finding:
    """The finding of a full check."""
    return _checker(problem).check(implementation_of(form))
