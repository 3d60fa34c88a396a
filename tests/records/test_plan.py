"""Plans: written down and read back, and what they still have to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DEVICES, DTYPES
from suites.records import plan as plans
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record, Status

SHORT, LONG = str(Problem.parse("t8")), str(Problem.parse("t16 causal"))
TEXTS = st.text(max_size=20)
WORDS = st.dictionaries(TEXTS, TEXTS, max_size=3)
CAPABILITIES = st.tuples(st.integers(0, 12), st.integers(0, 9))
VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | TEXTS


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
        choices=st.dictionaries(TEXTS, st.lists(VALUES, max_size=3), max_size=2),
        panel=st.sampled_from(("attention", "layers", "dense_linear", "approximations")),
        missing=TEXTS,
        description=TEXTS,
    )


def any_plan() -> st.SearchStrategy[Plan]:
    seconds = st.floats(0, 1e9)
    return st.builds(
        Plan,
        suite=TEXTS,
        problems=st.lists(TEXTS, max_size=3).map(tuple),
        entries=st.lists(entries(), max_size=2).map(tuple),
        sessions=st.integers(0, 99),
        seed=st.integers(0, 2**63),
        round_budget_ms=seconds,
        time_limit_s=seconds,
        memory_limit=st.integers(0, 2**63),
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


def record(session: int, problem: str, name: str, status: Status = "ok") -> Record:
    return Record(
        session=session,
        problem=problem,
        implementation=name,
        status=status,
        reason="" if status == "ok" else "because",
        times_ms=(1.0,) if status == "ok" and session != CHECK else (),
    )


@settings(deadline=None)
@given(any_plan())
def test_a_plan_survives_being_written_down(made: Plan) -> None:
    assert plans.from_json(json.loads(json.dumps(plans.to_json(made)))) == made


@settings(deadline=None)
@given(entries())
def test_an_entry_survives_being_written_down(made: Entry) -> None:
    assert plans.entry_from_json(json.loads(json.dumps(plans.entry_to_json(made)))) == made


@settings(deadline=None)
@given(limits())
def test_limits_that_were_read_back_refuse_the_same_problems(made: Limits) -> None:
    written = entry("naive", made)
    read = plans.entry_from_json(json.loads(json.dumps(plans.entry_to_json(written))))
    for text in ("h8/2 t8/16 d16 causal fp16 train cuda", "d7 padding:0.5 alibi scale2 fp32"):
        problem = Problem.parse(text)
        assert read.refusals(problem, (7, 5)) == made.refusals(problem, (7, 5))


def test_a_missing_implementation_is_settled_before_anything_runs() -> None:
    made = plan(Entry(name="gone", missing="does not import here: ImportError"), entry("naive"))
    settled = list(made.settled())
    assert [each.key for each in settled] == [(CHECK, SHORT, "gone"), (CHECK, LONG, "gone")]
    assert {(each.status, each.reason) for each in settled} == {
        ("missing", "does not import here: ImportError")
    }


def test_a_refused_problem_is_settled_with_every_reason() -> None:
    made = plan(entry("narrow", Limits(masks=("full",), unequal_lengths=False)), entry("naive"))
    (settled,) = made.settled()
    assert settled.key == (CHECK, LONG, "narrow")
    assert (settled.status, settled.reason) == ("refused", "mask causal: takes full")
    both = plan(entry("narrow", Limits(masks=("full",), dtypes=("float16",))))
    assert [each.reason for each in both.settled()] == [
        "dtype float32: takes float16",
        "dtype float32: takes float16; mask causal: takes full",
    ]


def test_what_the_inner_attention_refuses_is_refused_for_the_layer() -> None:
    narrow = (Limits(masks=("full",)),)
    (settled,) = plan(entry("layer(narrow)", inner_limits=narrow, panel="layers")).settled()
    assert settled.problem == LONG
    assert settled.reason == "inner mask causal: takes full"


def test_the_capability_of_the_plan_decides() -> None:
    newest = entry("newest", Limits(cuda_capability=(9, 0)))
    problem = Problem(device="cuda")
    assert newest.refusals(problem, (8, 0)) == ("CUDA capability 8.0: needs 9.0",)
    on_cuda = Plan(**{**as_fields(plan(newest, capability=(8, 0))), "problems": (str(problem),)})
    assert [each.status for each in on_cuda.settled()] == ["refused"]
    newer = Plan(**{**as_fields(on_cuda), "capability": (9, 0)})
    assert list(newer.settled()) == []


def as_fields(made: Plan) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Plan.__slots__}


def test_everything_is_unchecked_before_the_first_record() -> None:
    both = ["a", "b"]
    assert plan(entry("a"), entry("b")).unchecked([]) == [(SHORT, both), (LONG, both)]


def test_a_check_of_any_status_is_known() -> None:
    made = plan(entry("a"), entry("b"))
    known = [record(CHECK, SHORT, "a"), record(CHECK, SHORT, "b", "wrong")]
    assert made.unchecked(known) == [(LONG, ["a", "b"])]
    assert made.unchecked([*known, record(CHECK, LONG, "b", "failed")]) == [(LONG, ["a"])]


def test_a_timed_record_is_no_check() -> None:
    made = plan(entry("a"))
    assert made.unchecked([record(1, SHORT, "a")]) == [(SHORT, ["a"]), (LONG, ["a"])]


def test_what_is_settled_is_not_checked() -> None:
    made = plan(Entry(name="gone", missing="no"), entry("narrow", Limits(masks=("full",))))
    assert made.unchecked(made.settled()) == [(SHORT, ["narrow"])]


def test_nothing_is_timed_before_it_agrees() -> None:
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


def test_what_fell_in_one_session_is_not_timed_in_the_next() -> None:
    made = plan(entry("a"), entry("b"))
    checks = [record(CHECK, problem, name) for problem in (SHORT, LONG) for name in ("a", "b")]
    fallen = record(1, SHORT, "a", "crashed")
    assert made.untimed([*checks, fallen], 2) == [(SHORT, ["b"]), (LONG, ["a", "b"])]


def test_records_may_come_as_a_stream() -> None:
    made = plan(entry("a"))
    known = [record(CHECK, SHORT, "a"), record(1, SHORT, "a")]
    assert made.untimed(iter(known), 1) == []
    assert made.untimed(iter(known), 2) == [(SHORT, ["a"])]
    assert made.unchecked(iter(known)) == made.unchecked(known)


def test_benchmarks_are_grouped_by_problem_and_panel() -> None:
    assert entry("naive").group("h1 t64") == "h1 t64"
    assert entry("multi_head", panel="layers").group("h1 t64") == "h1 t64 layers"
    assert entry("linear", panel="dense_linear").group("h1 t64") == "h1 t64 dense_linear"
