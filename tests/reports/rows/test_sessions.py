"""Facts of sessions: ceilings, CPUs, clock, and time inside calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.rows.sessions import median_ceilings, share_inside_calls
from reports.views.commands import labels, setting_options
from reports.views.machine import inside_calls, session_facts, settings
from reports.views.numbers import attainable
from reports.views.text import duration
from tests import saved_run
from tests.saved_run import PROBLEMS, small_run


def test_ceilings_are_medians_over_the_sessions() -> None:
    run, _ = small_run()
    run = replace(run, facts=saved_run.facts(run.plan))
    assert {each.kind: each.value for each in median_ceilings(run)} == {
        "matmul": 1e11,
        "read": 2e10,
    }
    assert dict(session_facts(run)) == {
        "measured matmul float32 in cache": "100 GFLOP/s on cpu",
        "measured read in memory": "20.0 GB/s on cpu",
        "CPUs of sessions": "0, 1",
        "clock resolution": "40.0 ns",
    }


def test_ceilings_are_those_of_the_most_threads() -> None:
    run, _ = small_run(threads=(1, 2))
    told = [
        replace(
            fact,
            ceilings=tuple(
                replace(each, value=each.value * run.plan.threads_of(fact.session))
                for each in fact.ceilings
            ),
        )
        for fact in saved_run.facts(run.plan)
    ]
    found = {each.kind: each.value for each in median_ceilings(replace(run, facts=tuple(told)))}
    one = {
        each.kind: each.value
        for each in median_ceilings(replace(run, facts=saved_run.facts(run.plan)))
    }
    assert found == {kind: 2 * value for kind, value in one.items()}


def test_sessions_without_facts_have_none() -> None:
    assert list(session_facts(small_run()[0])) == []


def test_time_inside_calls_is_a_share_of_the_wall_time() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    timed = [r for r in records if r.times_ms]
    records = [replace(r, calls_ms=63e3 / len(timed)) if r.times_ms else r for r in records]
    assert share_inside_calls(run, records) == pytest.approx(0.63)
    assert inside_calls(run, records) == "63 % of 1 min 40 s inside calls of implementations"


def test_time_inside_calls_is_left_out_where_it_is_not_known() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    assert share_inside_calls(replace(run, ended=None), records) is None
    assert inside_calls(run, [replace(r, calls_ms=None) for r in records]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (1217, "20 min 17 s"), (7500, "2 h 5 min")],
)
def test_a_duration_reads_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "again", "text"),
    [
        (None, False, ""),
        (0.634, False, "63.4 %"),
        (1.0, False, "100 %"),
        (1.2, False, "above the measured ceiling"),
        (1.9, True, "above the measured ceiling, checked again"),
    ],
)
def test_no_share_reads_as_more_than_all(share: float | None, again: bool, text: str) -> None:  # noqa: FBT001 - a case of the table
    assert attainable(share, checked_again=again) == text


def test_labels_name_only_settings_that_are_not_default() -> None:
    plan = small_run()[0].plan
    assert labels(plan) == []
    other = replace(plan, cache="cold", allocator="retain", threads=(1, 2))
    assert labels(other) == ["cache cold", "allocator retain", "2 threads"]
    assert labels(other, threads=False) == ["cache cold", "allocator retain"]
    assert setting_options(plan, 2) == " --threads 2"
    assert setting_options(other, 1) == " --threads 1 --cache cold --allocator retain"


def test_settings_are_named_with_values() -> None:
    plan = small_run()[0].plan
    assert dict(settings(plan))["baseline"] == "the first in the plan that has times"
    told = dict(settings(replace(plan, baseline="naive", precision=0.02, threads=(1, 2))))
    assert told == {
        "baseline": "naive",
        "delta": "1 %: smaller differences do not count",
        "precision": "2 % requested",
        "cache setting": "hot",
        "allocator setting": "default",
        "tail setting": "off",
        "keep-compiled setting": "off",
        "threads requested": "1, 2, in turn",
    }
