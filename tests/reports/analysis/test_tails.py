"""Percentiles of single calls: only where a run asked for them, and of every call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import COLUMNS, tail_columns
from suites.stats.percentiles import percentile
from tests.saved_run import small_run
from tests.tail_run import tail_run


def test_a_row_has_the_percentiles_of_the_calls_of_all_sessions() -> None:
    run, records = tail_run(sessions=3)
    base, other = Analysis(run, records).tails
    own = [t for record in records if record.implementation == "base" for t in record.times_ms]
    assert base.percentiles == tuple(percentile(own, each) for each in (50, 95, 99))
    assert (base.implementation, base.calls, base.sessions, base.threads) == ("base", 1200, 3, 2)
    assert base.slowest_ms == max(own)
    [p50, p95, p99] = [each.value for each in other.percentiles if each]
    assert 2.1 < p50 < p95 < p99 < other.slowest_ms


def test_calls_of_disturbed_rounds_are_in_the_tail() -> None:
    quiet, disturbed = (
        Analysis(*tail_run(disturbed=places)).tails[0] for places in ((), range(10))
    )
    assert (quiet.disturbed, disturbed.disturbed) == (0, 20)
    assert disturbed.calls == quiet.calls == 800
    assert quiet.percentiles[-1] is not None
    assert disturbed.percentiles[-1] is not None
    assert quiet.percentiles[-1].value < 2
    assert disturbed.percentiles[-1].value > 100


def test_a_run_without_tail_has_no_percentiles_even_of_single_calls() -> None:
    assert Analysis(*tail_run(tail=False)).tails == []
    assert Analysis(*small_run()).tails == []


def test_samples_of_many_calls_have_no_percentiles() -> None:
    run, records = tail_run()
    several = [replace(r, calls_per_sample=3) if r.implementation == "base" else r for r in records]
    assert [row.implementation for row in Analysis(run, several).tails] == ["other"]


@pytest.mark.parametrize(
    ("calls", "known"),
    [(2, [False] * 3), (3, [True, False, False]), (36, [True, True, False]), (184, [True] * 3)],
)
def test_a_percentile_with_too_few_calls_for_an_interval_is_left_out(
    calls: int, known: list[bool]
) -> None:
    row = Analysis(*tail_run(calls)).tails[0]
    assert [each is not None for each in row.percentiles] == known


def test_the_p99_of_sessions_takes_100_calls_in_each_of_them() -> None:
    few, enough = (Analysis(*tail_run(calls)).tails[0] for calls in (99, 100))
    assert (few.session_low_ms, few.session_high_ms) == (None, None)
    assert enough.session_low_ms is not None
    assert enough.session_high_ms is not None
    assert enough.session_low_ms < enough.session_high_ms


def test_the_columns_are_plain_values_and_none_for_what_is_left_out() -> None:
    found = tail_columns(Analysis(*tail_run(36)).tails[0])
    assert tuple(found) == COLUMNS
    assert found["problem"].startswith("b1 h8 t128")
    assert found["p95_low_ms"] <= found["p95_ms"] <= found["p95_high_ms"]
    assert [found[f"p99_{end}"] for end in ("ms", "low_ms", "high_ms")] == [None] * 3
    assert found["p99_session_low_ms"] is None
