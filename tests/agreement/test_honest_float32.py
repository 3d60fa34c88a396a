"""The check accepts implementations that are right in an unusual form, in float32."""

from __future__ import annotations

import pytest

from tests.agreement.attention_call import Form
from tests.agreement.honest import HONEST, keys_shuffled_anew_each_time
from tests.agreement.honest_checks import check
from tests.agreement.honest_storage import STORAGE

PROBLEMS = ("b2 h4/2 t70 d16 window:9:5 train", "b2 h2 t65 d16 causal+padding:0.5 bthd")


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("form", [*HONEST, *STORAGE], ids=lambda form: form.__name__)
def test_an_unusual_form_is_accepted(form: Form, problem: str) -> None:
    assert check(form, problem).fault == ""


def test_a_random_order_of_sums_is_accepted_and_recorded_as_not_repeatable() -> None:
    found = check(keys_shuffled_anew_each_time, PROBLEMS[0])
    assert found.fault == ""
    assert found.agreement.repeatable is False
