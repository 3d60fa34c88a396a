"""Samples of a page: which are shown, and what is drawn of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis import shown_samples
from reports.analysis.run_analysis import Analysis
from reports.analysis.shown_samples import (
    Group,
    Shown,
    disturbed,
    first_rounds,
    over_median,
    ratios,
    shown,
)
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, small_run, two
from tests.tail_run import tail_run


def of(made: tuple[Run, list[Record]]) -> Shown:
    analysis = Analysis(*made)
    return shown(analysis.plan, analysis.timed)


def one(made: tuple[Run, list[Record]]) -> Group:
    [group] = of(made).groups
    return group


def test_every_sample_is_shown_where_all_fit() -> None:
    found = of(small_run(problems=PROBLEMS[:3]))
    assert (found.problems, found.step) == (3, 1)
    assert [group.problem for group in found.groups] == [
        problem for problem in PROBLEMS[:3] for _ in ("attention", "layers")
    ]
    assert [group.baseline for group in found.groups[:2]] == ["naive", "multi_head"]


def test_the_largest_problems_are_shown_where_not_all_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_samples, "MOST_PROBLEMS", 2)
    found = of(small_run())
    kept = dict.fromkeys(group.problem for group in found.groups)
    assert len(kept) == 2
    assert found.problems == len(PROBLEMS)
    assert min(each.flops for each in kept) >= sorted(each.flops for each in PROBLEMS)[-2]


def test_problems_are_left_out_before_records_have_too_few_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = small_run(problems=PROBLEMS[:3])  # each of 6 records in 3 sessions with 5 samples
    for most, count in ((1000, 3), (200, 2), (1, 1)):
        monkeypatch.setattr(shown_samples, "MOST_POINTS", most)
        assert len({group.problem for group in of(made).groups}) == count


def test_a_single_record_is_not_shown() -> None:
    run, records = tail_run(sessions=1)
    base = [record for record in records if record.implementation == "base"]
    assert of((run, base)).groups == ()
    assert len(of((run, records)).groups) == 1


def test_a_large_run_shows_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tail_run(1000, sessions=2)
    assert of(made).step == 1
    monkeypatch.setattr(shown_samples, "LARGE", 1)
    assert of(made).step == 4


def test_rounds_are_thinned_evenly_and_alike_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_samples, "MOST_POINTS", 160)
    made = tail_run(100, sessions=2)
    found = of(made)
    assert found.step == 3  # 400 samples
    [group] = found.groups
    for name in ("base", "other"):
        for _, points in over_median(group, name, found.step):
            assert [n for n, _ in points] == list(range(0, 100, 3))


def test_ratios_are_of_the_same_round_and_of_the_twin_for_the_baseline() -> None:
    group = one(two(2.0, (1.0, 1.0)))
    for session, points in ratios(group, "other", 1):
        assert session in (1, 2)
        assert [y for _, y in points] == pytest.approx([2.0] * 5)
    twins = dict(ratios(group, "base", 1))
    assert [y for _, y in twins[1]] == pytest.approx([1.001] * 5)
    assert [y for _, y in twins[2]] == pytest.approx([0.999] * 5)


def test_samples_of_other_rounds_have_no_ratio() -> None:
    run, records = two(2.0)
    apart = [
        replace(record, times_ms=(1.0,), in_rounds=False, conditions=None)
        if record.implementation == "other" and record.times_ms
        else record
        for record in records
    ]
    group = one((run, apart))
    assert list(ratios(group, "other", 1)) == []
    assert [len(points) for _, points in over_median(group, "other", 1)] == [1] * 5


def test_times_are_over_the_median_of_all_sessions() -> None:
    group = one(two(2.0, (1.0, 1.5)))
    first, second = (points for _, points in over_median(group, "other", 1))
    assert max(y for _, y in first) < 1 < min(y for _, y in second)


def test_a_sample_of_a_clock_that_stood_still_is_left_out() -> None:
    run, records = two(2.0)
    still = [
        replace(record, times_ms=(0.0, *record.times_ms[1:])) if record.times_ms else record
        for record in records
    ]
    group = one((run, still))
    assert {n for _, points in ratios(group, "other", 1) for n, _ in points} == {1, 2, 3, 4}
    assert {n for _, points in over_median(group, "base", 1) for n, _ in points} == {1, 2, 3, 4}


def test_disturbed_rounds_that_are_shown_are_marked_and_sessions_follow_each_other() -> None:
    group = one(tail_run(100, sessions=3, disturbed=[2, 4, 9]))
    assert dict(disturbed(group, 1)) == {1: [2, 4, 9], 2: [2, 4, 9], 3: [2, 4, 9]}
    assert dict(disturbed(group, 2))[1] == [2, 4]
    assert first_rounds(group) == {1: 0, 2: 100, 3: 200}


def test_with_several_numbers_of_threads_the_largest_is_shown() -> None:
    group = one(
        small_run(problems=PROBLEMS[:1], threads=(1, 2), made=Analysis(*two(2.0)).plan.entries)
    )
    sessions = {record.session for records in group.records.values() for record in records}
    assert sessions == {2, 4, 6}
