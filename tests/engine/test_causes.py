"""Records of common mistakes have their key and their cure, and reasons that begin with them."""

from __future__ import annotations

import pytest

from tests.engine.real_sessions import Records, assert_measured, records_of


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("slips.py")


def test_a_wrong_output_has_its_cause_and_the_evidence(records: Records) -> None:
    (record,) = records["scales_twice"]
    assert (record.status, record.slip) == ("wrong", "scale_twice")
    assert record.reason.startswith("scores are multiplied by 0.25 twice")
    assert "(out is wrong: RMS error" in record.reason
    assert "multiply by the scale once" in record.cure


def test_an_exception_has_the_feature_that_causes_it(records: Records) -> None:
    (record,) = records["takes_multiples_of_128"]
    assert (record.status, record.slip) == ("failed", "length_unsupported")
    assert record.reason == (
        "raises with Tq=64, Tk=64, and not with Tq=128, Tk=128 (ValueError: a length of 64)"
    )
    assert "Limits(length_multiple=128)" in record.cure


def test_an_exception_of_every_call_keeps_its_message(records: Records) -> None:
    (record,) = records["needs_another_argument"]
    assert (record.status, record.slip, record.cure) == ("failed", "", "")
    assert record.reason == "RuntimeError: always"


def test_a_right_implementation_has_no_cause(records: Records) -> None:
    assert_measured(records["honest"])
    assert {(record.slip, record.cure) for record in records["honest"]} == {("", "")}
