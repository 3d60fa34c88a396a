"""Runs check slow starts that compile on small inputs of one size; `check` uses all sizes."""

from __future__ import annotations

import impls
from impls.interface import Implementation, Problem
from suites.agreement.cases import Cases
from suites.agreement.hard_inputs import PLAIN

PROBLEM = Problem.parse("b1 h4 t256 d16 causal fp32 cpu")


def sizes(name: str, *, one_size: bool) -> tuple[set[str], set[Problem]]:
    """Labels and problems of the hard inputs of an implementation."""
    (each,) = impls.select([name], impls.load())
    assert isinstance(each, Implementation)
    ladder = Cases(PROBLEM, 1, one_size=one_size).ladder(each)
    return set(ladder.labels), {hard.problem for hard in ladder.first()}


def test_one_that_compiles_gets_the_numbers_of_one_size() -> None:
    for name in ("flex", "compiled"):
        labels, problems = sizes(name, one_size=True)
        assert len(problems) == 1
        assert PLAIN in labels
        assert len(labels) > 1
        every, of_every = sizes(name, one_size=False)
        assert labels < every
        assert len(of_every) > 5


def test_all_others_get_every_size() -> None:
    for name in ("naive", "onnxruntime"):
        assert sizes(name, one_size=True) == sizes(name, one_size=False)
