"""The check accepts implementations that are right in an unusual form, in half precision."""

from __future__ import annotations

import pytest

from tests.agreement.attention_call import Form
from tests.agreement.honest import HONEST
from tests.agreement.honest_checks import check
from tests.agreement.honest_storage import STORAGE

PROBLEMS = ("b1 h2 t97 d16 causal bf16 train", "b2 h4 t64 d16 full fp16 train")


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("form", [*HONEST, *STORAGE], ids=lambda form: form.__name__)
def test_an_unusual_form_is_accepted(form: Form, problem: str) -> None:
    assert check(form, problem).fault == ""
