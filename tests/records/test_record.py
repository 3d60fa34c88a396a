"""Records: what they may carry, and that they survive being written down."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suites.records import record as records
from suites.records.record import ANSWERS, CHECK, STATUSES, Agreement, Record, Status, TensorError

NOT_OK = tuple(status for status in STATUSES if status != "ok")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**62)


def errors() -> st.SearchStrategy[TensorError]:
    return st.builds(
        TensorError,
        tensor=st.sampled_from(["out", "dq", "dk", "dv"]),
        rms_share=FINITE,
        worst_share=FINITE,
        relative_rms=FINITE,
        max_error=FINITE,
    )


def agreements() -> st.SearchStrategy[Agreement]:
    return st.builds(
        Agreement,
        tensors=st.lists(errors(), max_size=4).map(tuple),
        rows_checked=st.none() | COUNTS,
        readout=st.none() | st.booleans(),
    )


@st.composite
def anything_recorded(draw: st.DrawFn) -> Record:
    session = draw(st.integers(0, 99))
    status = draw(st.sampled_from(STATUSES))
    timed = status == "ok" and session != CHECK
    return Record(
        session=session,
        problem=draw(st.text()),
        implementation=draw(st.text()),
        status=status,
        reason=draw(st.text(min_size=1)) if status != "ok" else "",
        agreement=draw(st.none() | agreements()),
        first_call_ms=draw(st.none() | FINITE) if timed else None,
        times_ms=draw(st.lists(TIMES, min_size=1).map(tuple)) if timed else (),
        calls_per_sample=draw(st.none() | COUNTS),
        peak_bytes=draw(st.none() | COUNTS),
        resident_bytes=draw(st.none() | st.integers()),
        page_faults=draw(st.none() | FINITE),
        operator=draw(st.text()),
        spent_ms=draw(st.none() | FINITE),
    )


def record(session: int, status: Status, **others: Any) -> Record:
    return Record(session=session, problem="t8", implementation="naive", status=status, **others)


def error(rms_share: float, worst_share: float) -> TensorError:
    return TensorError(
        tensor="out", rms_share=rms_share, worst_share=worst_share, relative_rms=0.0, max_error=0.0
    )


@settings(deadline=None)
@given(anything_recorded())
def test_a_record_survives_being_written_down(made: Record) -> None:
    assert records.from_json(json.loads(json.dumps(records.to_json(made)))) == made


def test_what_was_not_measured_differs_from_zero_when_read_back() -> None:
    made = record(1, "ok", times_ms=(0.0,), peak_bytes=0, page_faults=0.0)
    read = records.from_json(json.loads(json.dumps(records.to_json(made))))
    assert (read.peak_bytes, read.page_faults) == (0, 0.0)
    assert (read.resident_bytes, read.first_call_ms, read.agreement) == (None, None, None)


@pytest.mark.parametrize("status", NOT_OK)
def test_only_an_ok_record_carries_times(status: Status) -> None:
    with pytest.raises(ValueError, match=f"only an ok record carries times, got '{status}'"):
        record(1, status, reason="because", times_ms=(1.0,))
    with pytest.raises(ValueError, match=f"only an ok record carries times, got '{status}'"):
        record(1, status, reason="because", first_call_ms=0.0)


def test_the_check_takes_no_times() -> None:
    sentence = "the check takes no times; expected a session of 1 or more"
    with pytest.raises(ValueError, match=sentence):
        record(CHECK, "ok", times_ms=(1.0,))
    with pytest.raises(ValueError, match=sentence):
        record(CHECK, "ok", first_call_ms=1.0)


def test_an_ok_record_of_a_timed_session_needs_times() -> None:
    with pytest.raises(ValueError, match="an ok record of a timed session needs times"):
        record(1, "ok")
    with pytest.raises(ValueError, match="an ok record of a timed session needs times"):
        record(1, "ok", first_call_ms=1.0)


def test_an_ok_check_needs_no_times() -> None:
    assert record(CHECK, "ok").times_ms == ()


@pytest.mark.parametrize("status", NOT_OK)
def test_what_is_not_ok_says_why(status: Status) -> None:
    with pytest.raises(ValueError, match=f"a record that is '{status}' says why"):
        record(CHECK, status)


def test_an_unknown_status_names_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="status 'fine'; expected one of ok, refused, missing, wro"
    ):
        record(CHECK, "fine")  # type: ignore[arg-type] # what the test is about


def test_a_stored_record_with_a_false_time_is_not_read() -> None:
    stored = records.to_json(record(1, "ok", times_ms=(1.0,)))
    with pytest.raises(ValueError, match="only an ok record carries times, got 'wrong'"):
        records.from_json({**stored, "status": "wrong", "reason": "off by one"})


@pytest.mark.parametrize("time_ms", [float("nan"), float("inf"), -1.0])
def test_a_time_is_a_number_from_zero_up(time_ms: float) -> None:
    with pytest.raises(ValueError, match=f"a time of {time_ms} ms; expected a number from 0 up"):
        record(1, "ok", times_ms=(1.0, time_ms))
    with pytest.raises(ValueError, match=f"a time of {time_ms} ms; expected a number from 0 up"):
        record(1, "ok", times_ms=(1.0, 1.0), twin_ms=(1.0, time_ms))


@pytest.mark.parametrize("data", [{}, {"agreement": {}}, {"surprise": 1}])
def test_what_is_no_record_is_refused_as_one(data: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        records.from_json(data)


def test_a_field_that_is_not_known_is_named() -> None:
    stored = records.to_json(record(CHECK, "ok"))
    with pytest.raises(TypeError, match="surprise"):
        records.from_json({**stored, "surprise": 1})


def test_answers_are_the_statuses_that_are_no_fault() -> None:
    assert set(STATUSES) - set(ANSWERS) == {"wrong", "failed", "crashed"}
    assert set(ANSWERS) < set(STATUSES)


def test_the_key_is_session_problem_and_implementation() -> None:
    assert record(3, "failed", reason="because").key == (3, "t8", "naive")


@pytest.mark.parametrize(
    ("tensors", "share"),
    [
        ((), None),
        ((error(0.0, 0.0),), 0.0),
        ((error(2.0, 0.0),), 1.0),
        ((error(0.0, 16.0),), 1.0),
        ((error(1.0, 4.0),), 0.5),
        ((error(0.2, 4.0), error(3.0, 1.0), error(0.1, 0.1)), 1.5),
    ],
)
def test_the_share_is_the_largest_part_of_either_gate(
    tensors: tuple[TensorError, ...], share: float | None
) -> None:
    assert Agreement(tensors=tensors).share == share


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    "bad", [error(math.nan, 0.1), error(0.1, math.nan), error(math.nan, math.nan)]
)
def test_an_error_that_is_no_number_never_hides_behind_a_small_one(
    place: int, bad: TensorError
) -> None:
    tensors = [error(0.1, 0.1)]
    tensors.insert(place, bad)
    share = Agreement(tensors=tuple(tensors)).share
    assert share is not None
    assert share > 1
