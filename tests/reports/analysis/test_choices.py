"""Choices of one implementation: the best is named only where the others are slower."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impls.interface import Limits, Problem
from reports.analysis.run_analysis import Analysis
from reports.views.choices import sentences, some
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, small_run

NAMES = ("chunked[block_q=64]", "chunked[block_q=128]")


def chosen(
    factor: float,
    off: tuple[float, ...] = (1.0, 1.002, 0.998),
    *,
    names: tuple[str, ...] = NAMES,
    problems: tuple[Problem, ...] = PROBLEMS[:1],
    threads: tuple[int, ...] = (2,),
) -> tuple[Run, list[Record]]:
    """Two choices, the first of which takes `factor` times as long, off that by session."""
    made = tuple(Entry(name=name, limits=(Limits(),)) for name in names)
    run, records = small_run(made=made, problems=problems, sessions=len(off), threads=threads)
    without_twins = [replace(record, twin_ms=()) for record in records]
    return run, [
        replace(r, times_ms=tuple(factor * off[(r.session - 1) % len(off)] * t for t in r.times_ms))
        if r.implementation == names[0]
        else r
        for r in without_twins
    ]


def test_the_best_choice_is_named_with_how_far_the_next_one_is() -> None:
    (said,) = sentences(Analysis(*chosen(1.04)))
    assert said == (
        f"chunked on {PROBLEMS[0]}: block_q=128 is best; "
        "next is block_q=64, 1.04x as long [1.03, 1.05]."
    )


def test_choices_without_a_significant_order_are_reported() -> None:
    (said,) = sentences(Analysis(*chosen(1.0, (1.02, 0.99, 1.0))))
    assert "block_q=128 and block_q=64 are not distinguished (1.003 [0.966, 1.042])." in said


def test_a_choice_is_best_only_where_all_others_are_slower() -> None:
    names = (*NAMES, "chunked[block_q=256]")
    run, records = chosen(1.05, names=names)
    off = {1: 0.8, 2: 1.2, 3: 1.3}
    unsure = [
        replace(r, times_ms=tuple(off[r.session] * t for t in r.times_ms))
        if r.implementation == names[2] and r.times_ms
        else r
        for r in records
    ]
    (said,) = sentences(Analysis(run, unsure))
    assert "block_q=128 is not distinguished from block_q=256; next is block_q=64, 1.0" in said
    assert "best" not in said


def test_the_default_is_a_choice_too() -> None:
    (said,) = sentences(Analysis(*chosen(0.5, names=("chunked", NAMES[0]))))
    assert "its default is best; next is block_q=64, " in said


def test_pairs_decide_where_medians_disagree() -> None:
    run, records = chosen(1.0, (1.0, 1.0, 5.0))
    late = {2: 0.9, 3: 4.51}
    told = [
        replace(r, times_ms=tuple(late[r.session] * t for t in r.times_ms))
        if r.implementation == NAMES[1] and r.times_ms
        else r
        for r in records
        if (r.session, r.implementation) != (1, NAMES[1])
    ]
    (said,) = sentences(Analysis(run, told))
    assert "block_q=128 is best; next is block_q=64, 1.1" in said


def test_one_session_is_not_judged() -> None:
    (said,) = sentences(Analysis(*chosen(1.04, (1.0,))))
    assert "block_q=128 and block_q=64 were not judged (" in said
    assert said.endswith("their medians differ by a factor of 1.040.")


def test_a_sample_of_0_ms_is_not_judged() -> None:
    run, records = chosen(1.0)
    still = [replace(r, times_ms=(0.0,) * len(r.times_ms)) for r in records]
    (said,) = sentences(Analysis(run, still))
    assert "not judged (a sample of 0 ms" in said
    assert said.endswith(").")


@pytest.mark.parametrize("names", [("chunked", "naive"), ("chunked[a=1]", "naive[a=1]")])
def test_other_implementations_are_no_choices(names: tuple[str, ...]) -> None:
    assert sentences(Analysis(*chosen(1.04, names=names))) == []


def test_with_several_numbers_of_threads_the_most_count() -> None:
    assert len(sentences(Analysis(*chosen(1.04, threads=(1, 2))))) == 1


def test_many_are_counted() -> None:
    run, records = chosen(1.04, problems=PROBLEMS[:5])
    found = some(Analysis(run, records), 3)
    assert len(found) == 1 + 3 + 1
    assert found[0] == "chunked: block_q=128 is best on 5 of 5 problems."
    assert found[1].startswith(f"chunked on {PROBLEMS[4]}: ")  # the largest
    assert found[-1] == "Choices on 2 more: they are on the page."
    _, *every = some(Analysis(run, records), 5)
    assert every == sentences(Analysis(run, records))[::-1]


def test_how_often_each_choice_is_best_counts_decided_problems_only() -> None:
    run, records = chosen(1.04, problems=PROBLEMS[:4])
    factors = {PROBLEMS[0]: 0.9, PROBLEMS[1]: 1 / 1.04}  # the first choice is best; as fast
    changed = [
        replace(r, times_ms=tuple(factors.get(r.problem, 1) * t for t in r.times_ms))
        if r.implementation == NAMES[0]
        else r
        for r in records
    ]
    first, *_ = some(Analysis(run, changed), 4)
    assert first == "chunked: block_q=128 is best on 2 of 4 problems, block_q=64 on 1."
