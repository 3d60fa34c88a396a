"""Plans: stored and read back, and the work that they still have."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DEVICES, DTYPES
from suites.records.codec import from_json, to_data, to_json
from suites.records.plan import Entry, Plan
from suites.records.record import CAUSES, CHECK, Record, Status

SHORT, LONG = Problem.parse("t8"), Problem.parse("t16 causal")
TEXTS = st.text(max_size=20)
WORDS = st.dictionaries(TEXTS, TEXTS, max_size=3)
CAPABILITIES = st.tuples(st.integers(0, 12), st.integers(0, 9))


def some(*known: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(known), min_size=1, unique=True).map(tuple)


def limits() -> st.SearchStrategy[Limits]:
    return st.builds(
        Limits,
        devices=some(*DEVICES),
        dtypes=some(*DTYPES),
        masks=some(*EVERY_MASK),
        biases=some(*EVERY_BIAS),
        head_dims=st.builds(range, st.integers(1, 8), st.integers(9, 999), st.integers(1, 16)),
        grouped_heads=st.booleans(),
        unequal_lengths=st.booleans(),
        backward=st.booleans(),
        own_scale=st.booleans(),
        own_value_dim=st.booleans(),
        softcap=st.booleans(),
        sink=st.booleans(),
        cuda_capability=CAPABILITIES,
    )


def entries() -> st.SearchStrategy[Entry]:
    several = st.lists(limits(), max_size=2).map(tuple)
    return st.builds(
        Entry,
        name=TEXTS,
        files=WORDS,
        hashes=WORDS,
        limits=several,
        inner_limits=several,
        choices=st.dictionaries(TEXTS, st.lists(TEXTS, max_size=3), max_size=2),
        panel=st.sampled_from(("attention", "layers", "dense_linear", "approximations")),
        missing=TEXTS,
        description=TEXTS,
    )


def problems() -> st.SearchStrategy[Problem]:
    return st.builds(Problem, query_length=st.integers(1, 99), batch=st.integers(1, 9))


def any_plan() -> st.SearchStrategy[Plan]:
    seconds = st.floats(0, 1e9)
    return st.builds(
        Plan,
        suite=TEXTS,
        problems=st.lists(problems(), max_size=3, unique=True).map(tuple),
        entries=st.lists(entries(), max_size=2, unique_by=lambda each: each.name).map(tuple),
        sessions=st.integers(0, 99),
        seed=st.integers(0, 2**63 - 1),
        round_budget_ms=seconds,
        time_limit_s=seconds,
        memory_limit=st.integers(0, 2**63 - 1),
        threads=st.lists(st.integers(1, 512), min_size=1, max_size=3).map(tuple),
        fewest_sessions=st.integers(0, 9),
        precision=st.none() | st.floats(0.001, 0.5),
        delta=st.floats(0.001, 0.5),
        baseline=TEXTS,
        budget_s=st.none() | seconds,
        capability=st.none() | CAPABILITIES,
    )


def plan(*planned: Entry, capability: tuple[int, int] | None = None) -> Plan:
    return Plan(
        suite="quick",
        problems=(SHORT, LONG),
        entries=planned,
        sessions=2,
        seed=0,
        round_budget_ms=100.0,
        time_limit_s=60.0,
        memory_limit=2**30,
        threads=(2,),
        capability=capability,
    )


def entry(name: str, *given_limits: Limits, **others: Any) -> Entry:
    return Entry(name=name, limits=given_limits or (Limits(),), **others)


def record(session: int, problem: Problem, name: str, status: Status = "ok") -> Record:
    return Record(
        session=session,
        problem=problem,
        implementation=name,
        status=status,
        cause=CAUSES[status][0],
        reason="" if status == "ok" else "because",
        times_ms=(1.0,) if status == "ok" and session != CHECK else (),
    )


@settings(deadline=None)
@given(any_plan())
def test_a_stored_plan_is_read_back_as_it_was(made: Plan) -> None:
    assert from_json(Plan, to_json(made)) == made


@settings(deadline=None)
@given(entries())
def test_a_stored_entry_is_read_back_as_it_was(made: Entry) -> None:
    assert from_json(Entry, to_json(made)) == made


@settings(deadline=None)
@given(limits())
def test_limits_that_were_read_back_refuse_the_same_problems(made: Limits) -> None:
    read = from_json(Entry, to_json(entry("naive", made)))
    for text in ("h8/2 t8/16 d16 causal fp16 train cuda", "d7 padding:0.5 alibi scale2 fp32"):
        problem = Problem.parse(text)
        assert read.refusals(problem, (7, 5)) == made.refusals(problem, (7, 5))


def test_a_missing_implementation_is_settled_before_anything_runs() -> None:
    made = plan(Entry(name="gone", missing="does not import here: ImportError"), entry("naive"))
    settled = list(made.settled())
    assert [each.key for each in settled] == [(CHECK, SHORT, "gone"), (CHECK, LONG, "gone")]
    assert {(each.status, each.cause, each.reason) for each in settled} == {
        ("missing", "not_importable", "does not import here: ImportError")
    }


def test_a_missing_implementation_refuses_what_installing_it_would_not_change() -> None:
    cuda = (Limits(devices=("cuda",)),)
    made = plan(Entry(name="gone", missing="not installed", limits=cuda), entry("naive"))
    assert {(each.status, each.cause) for each in made.settled()} == {("refused", "limits")}
    able = plan(Entry(name="gone", missing="not installed", limits=(Limits(),)), entry("naive"))
    assert {each.status for each in able.settled()} == {"missing"}


def test_a_problem_beyond_limits_is_settled_with_every_reason() -> None:
    made = plan(entry("narrow", Limits(masks=("full",), unequal_lengths=False)), entry("naive"))
    (settled,) = made.settled()
    assert settled.key == (CHECK, LONG, "narrow")
    assert (settled.status, settled.cause) == ("refused", "limits")
    assert settled.reason == "mask causal: takes full"
    both = plan(entry("narrow", Limits(masks=("full",), dtypes=("float16",))))
    assert [each.reason for each in both.settled()] == [
        "dtype float32: takes float16",
        "dtype float32: takes float16; mask causal: takes full",
    ]


def test_a_layer_refuses_the_problems_that_its_inner_attention_refuses() -> None:
    narrow = (Limits(masks=("full",)),)
    (settled,) = plan(entry("layer(narrow)", inner_limits=narrow, panel="layers")).settled()
    assert settled.problem == LONG
    assert settled.reason == "inner mask causal: takes full"


def test_the_capability_of_the_plan_decides() -> None:
    newest = entry("newest", Limits(cuda_capability=(9, 0)))
    problem = Problem(device="cuda")
    assert newest.refusals(problem, (8, 0)) == ("CUDA capability 8.0: needs 9.0",)
    on_cuda = replace(plan(newest, capability=(8, 0)), problems=(problem,))
    assert [each.status for each in on_cuda.settled()] == ["refused"]
    assert list(replace(on_cuda, capability=(9, 0)).settled()) == []


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("threads", (), "no number of threads"),
        ("threads", (0, 2), "no number of threads"),
        ("sessions", -1, "fewer than 0 sessions"),
        ("problems", (SHORT, SHORT), "a problem twice"),
        ("entries", (entry("a"), entry("a")), "an implementation twice"),
        ("memory_limit", 2**63, "a number that is not finite, or too large"),
        ("seed", 10**30, "a number that is not finite, or too large"),
        ("threads", (2**63,), "a number that is not finite, or too large"),
        ("delta", math.nan, "a number that is not finite, or too large"),
        ("budget_s", math.inf, "a number that is not finite, or too large"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(field: str, value: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^the plan has {fault}"):
        replace(plan(entry("b")), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sessions", "3"),
        ("sessions", True),
        ("sessions", 3.0),
        ("precision", "1%"),
        ("delta", True),
        ("cache", None),
        ("time_limit_s", "60"),
        ("memory_limit", 0.5),
        ("budget_s", [60.0]),
        ("threads", 2),
        ("threads", [True]),
        ("suite", 1),
        ("problems", [1]),
        ("problems", [["t8"]]),
        ("problems", "t8"),
        ("problems", ["t8 t9"]),
        ("entries", {}),
        ("seed", None),
        ("round_budget_ms", "1"),
        ("capability", [9]),
        ("capability", ["9", "0"]),
        ("fewest_sessions", 1.5),
        ("baseline", 1),
        ("enough_s", "soon"),
        ("grain", 1),
    ],
)
def test_a_field_of_a_stored_plan_with_another_type_is_named(field: str, value: Any) -> None:
    data = to_data(plan(entry("a"))) | {field: value}
    with pytest.raises(ValueError, match=f"^{field}") as caught:
        from_json(Plan, json.dumps(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("head_dims", None),
        ("head_dims", [1, 9]),
        ("head_dims", [1, 9, 0]),
        ("head_dims", [9, 1, 1]),
        ("head_dims", ["1", 9, 1]),
        ("head_dims", "all"),
        ("devices", "cpu"),
        ("dtypes", ["int8"]),
        ("masks", None),
        ("softcap", 1),
        ("sink", "yes"),
        ("cuda_capability", [8]),
        ("cuda_capability", ["8", 0]),
        ("grain", 1),
    ],
)
def test_limits_with_a_field_of_another_type_are_refused(field: str, value: Any) -> None:
    data = to_data(entry("a"))
    data["limits"][0] |= {field: value}
    with pytest.raises(ValueError, match=r"^limits\.0") as caught:
        from_json(Entry, json.dumps(data))
    assert "\n" not in str(caught.value)


def test_text_that_is_not_unicode_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed; rename the file"):
        to_json(entry("a", files={"a": "caf\udce9.py"}))


def test_every_pair_is_unchecked_before_the_first_record() -> None:
    both = ["a", "b"]
    assert plan(entry("a"), entry("b")).unchecked([]) == [(SHORT, both), (LONG, both)]


def test_a_pair_with_a_check_of_any_status_is_not_checked_again() -> None:
    made = plan(entry("a"), entry("b"))
    known = [record(CHECK, SHORT, "a"), record(CHECK, SHORT, "b", "wrong")]
    assert made.unchecked(known) == [(LONG, ["a", "b"])]
    assert made.unchecked([*known, record(CHECK, LONG, "b", "failed")]) == [(LONG, ["a"])]


def test_a_timed_record_does_not_count_as_a_check() -> None:
    made = plan(entry("a"))
    assert made.unchecked([record(1, SHORT, "a")]) == [(SHORT, ["a"]), (LONG, ["a"])]


def test_missing_and_refused_pairs_are_not_checked() -> None:
    made = plan(Entry(name="gone", missing="no"), entry("narrow", Limits(masks=("full",))))
    assert made.unchecked(made.settled()) == [(SHORT, ["narrow"])]


def test_a_pair_is_timed_only_after_it_agrees() -> None:
    made = plan(entry("a"), entry("b"))
    assert made.untimed([], 1) == []
    assert made.untimed([record(CHECK, LONG, "b")], 1) == [(LONG, ["b"])]


@pytest.mark.parametrize(
    "status", ["wrong", "failed", "crashed", "timed_out", "out_of_memory", "refused"]
)
def test_a_wrong_answer_is_never_timed(status: Status) -> None:
    made = plan(entry("a"), entry("b"))
    known = [record(CHECK, SHORT, "a"), record(CHECK, SHORT, "b", status)]
    assert made.untimed(known, 1) == [(SHORT, ["a"])]


def test_a_session_is_timed_once_and_the_next_one_anew() -> None:
    made = plan(entry("a"))
    known = [record(CHECK, SHORT, "a"), record(1, SHORT, "a")]
    assert made.untimed(known, 1) == []
    assert made.untimed(known, 2) == [(SHORT, ["a"])]


def test_a_pair_that_crashed_in_one_session_is_not_timed_in_the_next() -> None:
    made = plan(entry("a"), entry("b"))
    checks = [record(CHECK, problem, name) for problem in (SHORT, LONG) for name in ("a", "b")]
    crashed = record(1, SHORT, "a", "crashed")
    assert made.untimed([*checks, crashed], 2) == [(SHORT, ["b"]), (LONG, ["a", "b"])]


def test_records_may_come_as_a_stream() -> None:
    made = plan(entry("a"))
    known = [record(CHECK, SHORT, "a"), record(1, SHORT, "a")]
    assert made.untimed(iter(known), 1) == []
    assert made.untimed(iter(known), 2) == [(SHORT, ["a"])]
    assert made.unchecked(iter(known)) == made.unchecked(known)


def test_benchmarks_are_grouped_by_problem_and_panel() -> None:
    assert entry("naive").group(SHORT) == f"{SHORT}"
    assert entry("multi_head", panel="layers").group(SHORT) == f"{SHORT} layers"
    assert entry("linear", panel="dense_linear").group(SHORT) == f"{SHORT} dense_linear"
