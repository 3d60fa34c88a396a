"""Numbers that a message calls different are printed with digits that differ."""

from __future__ import annotations

import re

import pytest

from suites.agreement.gate import apart_as_text
from tests.agreement.slips.test_lower_precision import softmax_in_float32
from tests.agreement.slips.tracing import traced


@pytest.mark.parametrize(
    ("found", "expected", "texts"),
    [
        (1.0, 2.0, ("1", "2")),
        (0.1234567, 0.1234599, ("0.123457", "0.12346")),
        (0.12345671, 0.12345672, ("0.12345671", "0.12345672")),
        (1.0, 1.0 + 2**-52, ("1", "1.0000000000000002")),
        (float("nan"), 1.0, ("nan", "1")),
    ],
)
def test_two_numbers_get_the_digits_that_they_need(
    found: float, expected: float, texts: tuple[str, str]
) -> None:
    assert apart_as_text(found, expected) == texts


def test_the_message_of_a_float32_computation_in_float64_has_two_numbers() -> None:
    problem = "h4 t64 d16 causal fp64"
    case = traced(softmax_in_float32, problem, "float32_inside", "expected float64", "float32")
    numbers = re.search(r"it is (\S+), expected (\S+)$", case.found().fault)
    assert numbers is not None
    assert numbers[1] != numbers[2]
