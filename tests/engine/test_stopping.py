"""When sessions of a problem end: precision, the fewest sessions, and threads."""

from __future__ import annotations

from typing import Any

from impls.interface import Limits, Problem
from suites.engine.stopping import settled
from suites.records.plan import Entry, Plan
from suites.records.record import Conditions, Record

PROBLEM = Problem.parse("h1 t64 d16")


def plan(**changes: Any) -> Plan:
    entries = tuple(Entry(name=name, limits=(Limits(),)) for name in ("a", "b", "c"))
    settings: dict[str, Any] = {
        "suite": "x",
        "problems": (PROBLEM,),
        "entries": entries,
        "sessions": 9,
        "fewest_sessions": 3,
        "precision": 0.01,
        "baseline": "a",
        "seed": 4,
        "round_budget_ms": 100.0,
        "time_limit_s": 60.0,
        "memory_limit": 1 << 30,
        "threads": (2,),
    }
    return Plan(**settings | changes)


def record(session: int, name: str, *times_ms: float, **fields: Any) -> Record:
    return Record(
        session=session,
        problem=PROBLEM,
        implementation=name,
        status="ok",
        times_ms=times_ms,
        **fields,
    )


def sessions(count: int, spread: float, *names: str) -> list[Record]:
    """Records whose ratios to `a` are 2, plus and minus the spread in turn."""
    found = []
    for number in range(1, count + 1):
        found.append(record(number, "a", 1.0))
        found += [record(number, n, 2.0 * (1 + spread * (-1) ** (number // 2))) for n in names]
    return found


def test_without_a_precision_every_session_runs() -> None:
    assert settled(plan(precision=None), sessions(5, 0.0001, "b"), 6) == set()


def test_a_problem_whose_every_ratio_is_precise_is_not_timed_again() -> None:
    assert settled(plan(), sessions(4, 0.001, "b", "c"), 5) == {PROBLEM}


def test_one_wide_interval_keeps_the_problem_in_the_sessions() -> None:
    narrow = [r for r in sessions(4, 0.001, "b") if r.implementation != "a"]
    assert settled(plan(), [*sessions(4, 0.05, "c"), *narrow], 5) == set()


def test_no_precision_ends_a_problem_before_the_fewest_sessions() -> None:
    assert settled(plan(), sessions(2, 0.0001, "b"), 3) == set()


def test_a_clear_difference_alone_never_ends_the_sessions() -> None:
    clear = sessions(4, 0.05, "b")  # twice as slow, with an interval of 5 %
    assert settled(plan(), clear, 5) == set()


def test_sessions_of_another_number_of_threads_do_not_count() -> None:
    both = plan(threads=(1, 2))
    assert settled(both, sessions(4, 0.001, "b"), 5) == set()  # two sessions of each
    assert settled(both, sessions(6, 0.001, "b"), 7) == {PROBLEM}


def test_equal_ratios_have_no_interval_and_are_not_precise() -> None:
    assert settled(plan(), sessions(5, 0.0, "b"), 6) == set()


def test_each_panel_must_be_precise_by_itself() -> None:
    entries = (
        Entry(name="a", limits=(Limits(),)),
        Entry(name="b", limits=(Limits(),)),
        Entry(name="layer", limits=(Limits(),), panel="layers"),
    )
    alone = [r for r in sessions(4, 0.3, "layer") if r.implementation == "layer"]
    found = [*sessions(4, 0.001, "b"), *alone]
    assert settled(plan(entries=entries), found, 5) == {PROBLEM}


def test_figures_are_computed_from_the_quiet_rounds_where_two_remain() -> None:
    quiet = Conditions(disturbed=("", "a neighbour", ""))
    assert record(1, "a", 1.0, 9.0, 1.0, conditions=quiet).rounds == (0, 2)
    all_but_one = Conditions(disturbed=("a", "b", ""))
    assert record(1, "a", 1.0, 2.0, 3.0, conditions=all_but_one).rounds == (0, 1, 2)


def test_a_ratio_across_panels_counts_where_the_plan_has_it() -> None:
    entries = (Entry(name="a", limits=(Limits(),)), Entry(name="b", panel="approximations"))
    far = sessions(4, 0.1, "b")
    assert settled(plan(entries=entries), far, 5) == {PROBLEM}
    assert settled(plan(entries=entries, across=True), far, 5) == set()
    near = sessions(4, 0.001, "b")
    assert settled(plan(entries=entries, across=True), near, 5) == {PROBLEM}
