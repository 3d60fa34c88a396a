"""What is expected of an implementation, whatever it computes."""

from __future__ import annotations

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.expected import Expected, expect
from suites.agreement.own_reference import expect_from
from suites.agreement.textbook import beside_textbook
from suites.measure.inputs import Inputs


def expect_of(
    implementation: Implementation, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """What is expected of an implementation: of attention, of a layer, of a function of its own."""
    if implementation.reference is not None:
        return expect_from(implementation.reference, problem, inputs, rows)
    return expect(problem, inputs, rows=rows, projections=implementation.projections)


def beside_textbook_of(
    implementation: Implementation, problem: Problem, inputs: Inputs, expected: Expected
) -> Expected:
    """The same beside the textbook, for attention itself."""
    alone = implementation.projections is None and implementation.reference is None
    return beside_textbook(problem, inputs, expected) if alone else expected
