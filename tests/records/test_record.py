"""Records: the values they may hold, and that a stored record is read back as it was."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Problem
from suites.records.codec import from_json, to_data, to_json
from suites.records.in_model import InModel, LayerTime
from suites.records.kernels import Kernel
from suites.records.record import (
    ANSWERS,
    CAUSES,
    CHECK,
    FORESEEN,
    STATUSES,
    Agreement,
    Cause,
    Conditions,
    Record,
    Status,
    TensorError,
)

NOT_OK = tuple(status for status in STATUSES if status != "ok")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 2**63 - 1)
PROBLEM = Problem.parse("t8")
KERNELS = st.builds(Kernel, name=st.text(), share=TIMES, calls=COUNTS, variant=st.text())


LAYERS = st.builds(
    LayerTime, layer=st.text(), calls=COUNTS, forward_ms=TIMES, backward_ms=st.none() | TIMES
)
IN_MODELS = st.builds(
    InModel, step_ms=TIMES, attention_ms=TIMES, layers=st.lists(LAYERS, max_size=2).map(tuple)
)


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
        problem=draw(st.builds(Problem, batch=st.integers(1, 99), sink=st.booleans())),
        implementation=draw(st.text()),
        status=status,
        cause=draw(st.sampled_from(CAUSES[status])),
        reason=draw(st.text(min_size=1)) if status != "ok" else "",
        agreement=draw(st.none() | agreements()),
        first_call_ms=draw(st.none() | TIMES) if timed else None,
        times_ms=draw(st.lists(TIMES, min_size=1).map(tuple)) if timed else (),
        in_model=draw(st.none() | IN_MODELS),
        calls_per_sample=draw(st.none() | COUNTS),
        peak_bytes=draw(st.none() | COUNTS),
        resident_bytes=draw(st.none() | COUNTS),
        set_up_bytes=draw(st.none() | st.integers(-(2**40), 2**40)),
        page_faults=draw(st.none() | TIMES),
        operator=draw(st.text()),
        kernels=draw(st.lists(KERNELS, max_size=2).map(tuple)),
        fallback=draw(st.text()),
        notes=draw(st.lists(st.text(), max_size=2).map(tuple)),
        spent_ms=draw(st.none() | TIMES),
    )


def record(session: int, status: Status, **others: Any) -> Record:
    fields = {"cause": CAUSES.get(status, ("",))[0], **others}
    return Record(session=session, problem=PROBLEM, implementation="naive", status=status, **fields)


def read(**changes: Any) -> Record:
    """A stored record of a timed session that is read back with some fields changed."""
    stored = to_data(record(1, "ok", times_ms=(1.0, 2.0)))
    return from_json(Record, json.dumps(stored | changes))


def error(rms_share: float, worst_share: float) -> TensorError:
    return TensorError(
        tensor="out", rms_share=rms_share, worst_share=worst_share, relative_rms=0.0, max_error=0.0
    )


@settings(deadline=None)
@given(anything_recorded())
def test_a_stored_record_is_read_back_as_it_was(made: Record) -> None:
    assert from_json(Record, to_json(made)) == made


def test_a_value_that_was_not_measured_differs_from_zero_when_read_back() -> None:
    made = record(1, "ok", times_ms=(0.0,), peak_bytes=0, page_faults=0.0)
    again = from_json(Record, to_json(made))
    assert (again.peak_bytes, again.page_faults) == (0, 0.0)
    assert (again.resident_bytes, again.first_call_ms, again.agreement) == (None, None, None)


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
def test_a_record_that_is_not_ok_needs_a_reason(status: Status) -> None:
    with pytest.raises(ValueError, match=f"a record that is '{status}' needs a reason"):
        record(CHECK, status)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("cause", get_args(Cause))
def test_the_cause_of_a_record_fits_its_status(status: Status, cause: Cause) -> None:
    reason = "" if status == "ok" else "because"
    if cause in CAUSES[status]:
        assert record(CHECK, status, cause=cause, reason=reason).cause == cause
        return
    with pytest.raises(ValueError, match=f"^cause '{cause}' of a record that is '{status}'"):
        record(CHECK, status, cause=cause, reason=reason)


def test_a_record_that_is_not_ok_needs_a_cause() -> None:
    with pytest.raises(ValueError, match=r"expected one of 'limits'$"):
        record(CHECK, "refused", cause="", reason="because")


def test_every_cause_belongs_to_one_status() -> None:
    assert tuple(CAUSES) == STATUSES
    listed = [cause for causes in CAUSES.values() for cause in causes]
    assert sorted(listed) == sorted(get_args(Cause))
    assert set(FORESEEN) <= set(listed)


def test_conditions_have_an_entry_for_each_sample() -> None:
    two = Conditions(disturbed=("", "waited"))
    assert record(1, "ok", times_ms=(1.0, 2.0), conditions=two).rounds == (0, 1)
    with pytest.raises(ValueError, match=r"^conditions of 2 rounds beside 3 samples; expected"):
        record(1, "ok", times_ms=(1.0, 2.0, 3.0), conditions=two)


def test_an_unknown_status_names_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="status 'fine'; expected one of ok, refused, missing, wro"
    ):
        record(CHECK, "fine")  # type: ignore[arg-type] # what the test is about


def test_a_stored_record_with_a_false_time_is_not_read() -> None:
    with pytest.raises(ValueError, match="only an ok record carries times, got 'wrong'"):
        read(status="wrong", cause="wrong_output", reason="off by one")


@pytest.mark.parametrize("time_ms", [float("nan"), float("inf"), -1.0])
def test_a_time_is_a_number_from_zero_up(time_ms: float) -> None:
    with pytest.raises(ValueError, match=f"a time of {time_ms} ms; expected a number from 0 up"):
        record(1, "ok", times_ms=(1.0, time_ms))
    with pytest.raises(ValueError, match=f"a time of {time_ms} ms; expected a number from 0 up"):
        record(1, "ok", times_ms=(1.0, 1.0), twin_ms=(1.0, time_ms))


@pytest.mark.parametrize("data", [{}, {"agreement": {}}, {"surprise": 1}])
def test_data_without_the_fields_of_a_record_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^session: Field required"):
        from_json(Record, json.dumps(data))


def test_an_unknown_field_of_a_stored_record_is_named() -> None:
    with pytest.raises(ValueError, match=r"^surprise: "):
        read(surprise=1)


LAYER = {"layer": "a", "calls": 1, "forward_ms": 1.0}
ODD: dict[str, tuple[Any, ...]] = {
    "session": (True, -1, 2**63, 1.0, "1", None),
    "problem": (5, None, ["t8"], "t8 t9", "d" * 9),
    "implementation": (1, None, ["naive"]),
    "status": ("fine", ["ok"], None),
    "cause": ("gone", None, 1),
    "reason": (None, 1),
    "slip": (None, 1),
    "cure": (None, 1),
    "agreement": (
        [1],
        "ok",
        {"tensors": [1]},
        {"rows_checked": 2**63},
        {"hard_inputs": True},
        {"repeats": -1},
    ),
    "prepare_ms": (True, "1", -1.0, math.nan, math.inf),
    "first_call_ms": (True, "1", -1.0, math.nan, math.inf, 10**400),
    "compilations": (True, -1, 2**63, 1.5, "1"),
    "compile_ms": (True, "1", -1.0, math.nan, math.inf),
    "set_up_bytes": (True, 2**63, -(2**63), 1.5, "1"),
    "times_ms": (1.0, ["fast"], [True], [math.nan], [math.inf], [-1.0], [None], {}),
    "twin_ms": (1.0, ["fast", "fast"], [math.nan, 1.0], [-1.0, 1.0], [1.0]),
    "again_ms": (1.0, ["fast", "fast"], [math.nan, 1.0], [-1.0, 1.0], [1.0]),
    "in_layer_ms": (1.0, ["slow", "slow"], [math.nan, 1.0], [-1.0, 1.0], [1.0]),
    "in_layer_faults": (True, -0.5, math.nan, math.inf, "1"),
    "on_ranks": (
        1,
        [1],
        [{"call_ms": 1.0}],
        [{"rank": -1}],
        [{"rank": 0, "call_ms": math.nan}],
        [{"rank": 0, "sent_bytes": -1}],
        [{"rank": 0, "peak_bytes": 1.5}],
        [{"rank": 0, "communication_ms": "1"}],
        [{"rank": 0, "surprise": 1}],
    ),
    "host": (None, 1),
    "in_model": (
        1.0,
        {},
        {"step_ms": 1.0, "attention_ms": 0.5},
        {"step_ms": math.nan, "attention_ms": 0.5, "layers": []},
        {"step_ms": 1.0, "attention_ms": -0.5, "layers": []},
        {"step_ms": 1.0, "attention_ms": 0.5, "layers": [{"layer": "a", "calls": 1}]},
        {"step_ms": 1.0, "attention_ms": 0.5, "layers": [LAYER | {"calls": -1}]},
        {"step_ms": 1.0, "attention_ms": 0.5, "layers": [LAYER | {"forward_ms": math.inf}]},
        {"step_ms": 1.0, "attention_ms": 0.5, "layers": [LAYER | {"backward_ms": -1.0}]},
    ),
    "process": (None, 1),
    "unbound": (None, True),
    "in_rounds": (1, "yes", None),
    "conditions": (
        "quiet",
        {"surprise": []},
        {"probe_ms": [math.nan]},
        {"run_delay_ms": [True]},
        {"involuntary_switches": [-1]},
        {"disturbed": [0, 0]},
        {"disturbed": [""]},
        {"device": [1]},
    ),
    "threads": (True, -1, 2**63, 1.5),
    "calls_per_sample": (True, -1, 10**30, "1"),
    "clock": ({"host": 1}, None),
    "inputs_from": ("cache", None, 1),
    "host_ms": (math.inf, "1"),
    "unhidden": (True, -0.5, math.nan, "1"),
    "sustained_ms": (math.inf, True),
    "energy_mj": (True, -0.5, math.nan, math.inf, "1"),
    "cross_check_ms": (-1.0, []),
    "checked_again": (0, "no"),
    "peak_bytes": (True, -1, 2**63, 10**30, 1.5, "1"),
    "kept_bytes": (True, -1, 2**63),
    "resident_bytes": (True, -1, 2**63),
    "mask_bytes": (True, -1, 2**63),
    "unseen": (None, 1),
    "neighbour_ratio": (True, -0.5, math.nan, math.inf, "1"),
    "page_faults": (True, -0.5, math.nan, math.inf, 10**400, "1"),
    "operator": (None, 1),
    "kernels": (
        None,
        "bmm",
        ["bmm"],
        [{"name": "bmm"}],
        [{"name": "bmm", "share": -0.1, "calls": 1}],
        [{"name": "bmm", "share": math.nan, "calls": 1}],
        [{"name": "bmm", "share": 0.5, "calls": True}],
        [{"name": "bmm", "share": 0.5, "calls": 1, "variant": None}],
        [{"name": "bmm", "share": 0.5, "calls": 1, "surprise": 1}],
    ),
    "fallback": (None, True),
    "notes": (None, "one", [1], {}),
    "spent_ms": (True, -1.0, math.nan, math.inf, 10**400),
    "calls_ms": (True, -1.0, math.nan, math.inf),
}
"""Values that each field of a stored record must not have."""


def test_every_field_of_a_record_has_values_that_are_refused() -> None:
    assert list(ODD) == [each.name for each in fields(Record)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(field, value, id=f"{field}={value!r}"[:60])
        for field, values in ODD.items()
        for value in values
    ],
)
def test_a_stored_field_with_another_type_or_range_is_refused_on_one_line(
    field: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(**{field: value})
    assert "\n" not in str(caught.value)


def test_answers_are_the_statuses_that_are_not_faults() -> None:
    assert set(STATUSES) - set(ANSWERS) == {"wrong", "failed", "crashed"}
    assert set(ANSWERS) < set(STATUSES)


def test_the_key_is_session_problem_and_implementation() -> None:
    assert record(3, "failed", reason="because").key == (3, PROBLEM, "naive")


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
def test_an_error_of_nan_never_hides_behind_a_small_one(place: int, bad: TensorError) -> None:
    tensors = [error(0.1, 0.1)]
    tensors.insert(place, bad)
    share = Agreement(tensors=tuple(tensors)).share
    assert share is not None
    assert share > 1
