"""Faults by their cause: reasons that differ in numbers only are one, and so is every slip."""

from __future__ import annotations

from typing import Any

import pytest

from reports.views.causes import causes, sentence_of
from suites.records.record import CAUSES, Record, Status
from tests.saved_run import PROBLEMS

READ = "query {} (of 33 that differ; batch row 0, head 0) sees keys 0..0, expected {}"
FAR = "{} is wrong: RMS error {:.3g} times the rounding bound (2 allowed), largest 9 times"


def record(place: int, reason: str, status: Status = "wrong", **others: Any) -> Record:
    return Record(
        session=0,
        problem=PROBLEMS[place],
        implementation="mine",
        status=status,
        cause=CAUSES[status][0],
        reason=reason,
        **others,
    )


def test_reasons_that_differ_in_numbers_tensors_or_the_input_are_one_cause() -> None:
    found = causes(
        [
            record(0, READ.format(17, "0..96")),
            record(1, READ.format(0, "none")),
            record(2, f"on a hard input (lengths 33/129: {PROBLEMS[0]}), {FAR.format('out', 5e5)}"),
            record(3, f"{FAR.format('dq', 7.0)}; at [0, 0] it is 2, expected -0.1"),
            record(4, "RuntimeError: size 4 (on a hard input (grouped heads: b2))", "failed"),
            record(5, "RuntimeError: size 12", "failed"),
        ]
    )
    assert [(each.status, len(each.problems), each.sentence) for each in found] == [
        ("wrong", 2, READ.format(0, "none")),
        ("wrong", 2, FAR.format("dq", 7.0)),
        ("failed", 2, "RuntimeError: size 4"),
    ]
    assert found[0].problems == PROBLEMS[:2]


def test_a_slip_is_one_cause_whatever_its_reasons_and_has_its_cure() -> None:
    found = causes(
        [
            record(0, "aligned top-left: query 0 sees key 0 (out: 5 times)", slip="top_left"),
            record(1, "aligned top-left in training (dq: 7 times)", slip="top_left", cure="tril()"),
            record(2, "scale missing (out: 5 times)", slip="no_scale", cure="multiply by scale"),
        ]
    )
    assert [(each.slip, each.sentence, each.cure) for each in found] == [
        ("top_left", "aligned top-left in training", "tril()"),
        ("no_scale", "scale missing", "multiply by scale"),
    ]


def test_results_that_are_no_faults_have_no_cause() -> None:
    late = record(0, "the budget does not suffice", "timed_out")
    over = Record(
        session=0, problem=PROBLEMS[1], implementation="mine", status="timed_out", cause="budget",
        reason="the budget does not suffice",
    )  # fmt: skip
    refused = record(2, "mask causal: takes full", "refused")
    assert [each.status for each in causes([late, over, refused])] == ["timed_out"]


def test_the_most_severe_and_frequent_cause_is_first() -> None:
    failed = [record(place, "RuntimeError: no", "failed") for place in range(5)]
    found = causes([*failed, record(5, "a"), record(6, "b"), record(7, "b")])
    assert [each.sentence for each in found] == ["b", "a", "RuntimeError: no"]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("RuntimeError: expected (a, b)", "RuntimeError: expected (a, b)"),
        ("out of (a; b) range; more", "out of (a; b) range"),
        ("brackets that close)", "brackets that close)"),
        ("", ""),
    ],
)
def test_other_text_stays_as_it_is(reason: str, sentence: str) -> None:
    status: Status = "failed" if reason else "ok"
    assert sentence_of(record(0, reason, status)) == sentence
