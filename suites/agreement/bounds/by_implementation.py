"""Which reference and which bound an implementation is compared with."""

from __future__ import annotations

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.bounds.by_trial import bounds_by_trial
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import Expected
from suites.agreement.bounds.naive_error import add_naive_error
from suites.measure.inputs import Inputs


def computes_attention(implementation: Implementation) -> bool:
    """Whether it computes attention itself: no layer around it, no other function."""
    return implementation.projections is None and implementation.reference is None


def claims_exact_attention(implementation: Implementation) -> bool:
    """Whether it computes attention itself, and not an approximation of it."""
    return computes_attention(implementation) and not implementation.approximates


def reference_key(implementation: Implementation) -> object:
    """A key that is equal for implementations with the same reference values."""
    return implementation.reference or (implementation.projections, implementation.positions)


def expected_of(
    implementation: Implementation, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """Reference values and bounds: derived for attention and layers, by trial for others."""
    if implementation.reference is not None:
        return bounds_by_trial(implementation.reference, problem, inputs, rows)
    return derived_bounds(
        problem,
        inputs,
        rows=rows,
        projections=implementation.projections,
        positions=implementation.positions,
    )


def expected_with_naive(
    implementation: Implementation, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """The same; for attention in half precision with the error of the naive formula."""
    expected = expected_of(implementation, problem, inputs, rows)
    if computes_attention(implementation):
        add_naive_error(problem, inputs, expected)
    return expected
