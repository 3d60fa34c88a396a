"""The cause that a full check finds for a function, on one problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from torch import Tensor

from impls.interface import Implementation, Problem
from impls.interface.implementation import from_function
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.cases import Case
from suites.agreement.checker import Finding
from suites.agreement.diagnosis import explanation
from suites.agreement.observation import observed
from suites.agreement.refused_feature import cause_of
from suites.agreement.slip import Diagnosis
from suites.measure.inputs import Inputs
from tests.agreement import rejecting
from tests.agreement.attention_call import AttentionCall, Form, implementation_of


@dataclass(frozen=True, slots=True)
class Traced:
    """A wrong function with the cause that a check has to find.

    sentence, cure  parts of the texts
    """

    implementation: Implementation
    problem: str
    slip: str
    sentence: str
    cure: str

    def __str__(self) -> str:
        return f"{self.implementation} on {self.problem}"

    def found(self) -> Finding:
        """The result of its check."""
        return finding(self.implementation, self.problem)

    def holds(self) -> None:
        """Assert that the check finds this cause."""
        found = self.found()
        assert found.fault
        assert found.cause is not None, found.fault
        assert found.cause.slip == self.slip, found.cause.sentence
        assert self.sentence in found.cause.sentence
        assert self.cure in found.cause.cure
        assert found.reason == f"{found.cause.sentence} ({found.fault})"


def traced(form: Form, problem: str, slip: str, sentence: str, cure: str) -> Traced:
    """The case of a function of an attention call."""
    return Traced(implementation_of(form), problem, slip, sentence, cure)


def finding(implementation: Implementation, problem: str) -> Finding:
    """The result of a full check; its reference values serve all functions."""
    return rejecting.all_probes(problem).check(implementation)


def explained(problem: Problem, inputs: Inputs, *outputs: Tensor) -> Diagnosis | None:
    """The cause of outputs on these inputs, without a check."""
    expected = derived_bounds(problem, inputs, rows=None)
    case = Case(problem, inputs, inputs, expected, seed=0)
    return explanation(observed(case, outputs), [])


def cause(function: Callable[..., Any], problem: str) -> Diagnosis | None:
    """The cause that a check finds for a plain function of q, k and v."""
    return finding(from_function(function), problem).cause


def cause_of_exception(function: Callable[..., Any], problem: str) -> Diagnosis | None:
    """The cause of the exception that a check of a plain function raises."""
    with pytest.raises((RuntimeError, ValueError)) as raised:
        finding(from_function(function), problem)
    return cause_of(raised.value)


def softmaxed(call: AttentionCall, hidden: Tensor) -> Tensor:
    """Attention as most people write it: hidden scores are -inf, so empty rows are NaN."""
    scores = call.scale * (call.q @ call.keys.mT)
    weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
    return weights.nan_to_num(0.0) @ call.values
