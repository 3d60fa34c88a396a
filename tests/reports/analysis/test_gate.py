"""The gate of a comparison: passed, failed or unsure, and the line that says why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reports.analysis.comparison import Comparison, implementations
from reports.analysis.gate import Gate, gate
from reports.analysis.run_comparison import runs
from reports.outputs.export.json_data import of_comparison
from reports.views.gate import sentence
from suites.records.record import Record
from suites.stats.intervals import over_sessions
from tests.reports.analysis.test_comparison import compared, renamed, without
from tests.saved_run import PROBLEMS, small_run, two

WIDE = (1.0, 1.06, 0.96, 1.03, 0.95)


def wide(factor: float) -> Comparison:
    """Two implementations of one run: the other takes `factor` times as long, unevenly."""
    return implementations(*two(factor, WIDE), "base", "other")


def said(found: Comparison, limit: float, *, strict: bool = False) -> str:
    return sentence(gate(found, limit, strict=strict), found)


def test_a_gate_fails_where_a_whole_interval_is_beyond_the_limit() -> None:
    found = gate(compared(2.0, 2.1), 0.03)
    assert found.state == "failed"
    assert [row.implementation for row in found.slower] == ["other"]
    (row,) = found.slower
    assert row.low is not None
    line = f"GATE 3 %: failed; other at least {100 * (row.low - 1):.2f} % slower"
    assert said(compared(2.0, 2.1), 0.03) == line


def test_a_gate_passes_and_says_how_far_the_intervals_reach() -> None:
    found = compared(2.0, 2.0)
    passed = gate(found, 0.03, strict=True)
    (row,) = passed.compared
    assert row.high is not None
    assert passed.state == "passed"
    reach = f"{100 * (row.high - 1):.3f}"
    assert (
        said(found, 0.03, strict=True)
        == f"GATE 3 %: passed; 1 comparison, at most {reach} % slower"
    )
    assert said(compared(2.1, 2.0), 0.03) == "GATE 3 %: passed; 1 comparison, none slower"


def test_a_slow_down_that_is_not_excluded_is_named_with_its_reach() -> None:
    found = wide(1.0)
    (row,) = found.rows
    assert row.high is not None
    assert row.high > 1.03
    reach = f"{100 * (row.high - 1):.2f}"
    line = said(found, 0.03)
    assert line.startswith(f"GATE 3 %: passed; not excluded: other up to {reach} % slower; ")
    assert said(found, 0.03, strict=True).startswith("GATE 3 %: unsure; not excluded: other up to ")


def test_the_sessions_that_may_settle_it_narrow_the_interval_to_the_limit() -> None:
    found = wide(1.0)
    more = gate(found, 0.03).more_sessions
    assert more
    (row,) = found.rows
    own = row.series[0]
    assert row.ratio == pytest.approx(math.exp(sum(own) / len(own)))
    assert f"; {more} more sessions may settle it" in said(found, 0.03)
    # As many sessions of the same mean and about the same spread exclude the limit; half do not.
    enough = over_sessions((own * (1 + more))[: len(own) + more + 2])
    few = over_sessions((own * (1 + more))[: len(own) + more // 2])
    assert enough.high < 1.03 < few.high  # type: ignore[union-attr] # both are intervals


def with_ten_uneven_rounds(record: Record) -> Record:
    if not record.times_ms:
        return record
    off = (*WIDE, *WIDE) if record.implementation == "other" else (1.0,) * 10
    times = tuple(time * each for time, each in zip(record.times_ms * 2, off, strict=True))
    return replace(record, times_ms=times, twin_ms=(), conditions=None)


def test_a_slow_down_of_one_session_is_not_excluded_and_more_sessions_may_settle_it() -> None:
    run, records = two(1.0, (1.0,))
    found = implementations(run, list(map(with_ten_uneven_rounds, records)), "base", "other")
    assert found.rows[0].basis == "this process"
    assert said(found, 0.03).endswith("; more sessions may settle it (--sessions)")


def test_a_gate_where_nothing_was_judged_is_unsure() -> None:
    run, records = two(2.0)
    nothing = runs(run, records, without(run, "other"), records)
    assert gate(nothing, 0.03).state == "unsure"
    assert said(nothing, 0.03) == (
        "GATE 3 %: unsure; none of 1 comparison was judged: no shared baseline was measured; "
        "no time in later: other"
    )
    small, other = small_run(problems=PROBLEMS[:1]), small_run(problems=PROBLEMS[1:2])
    assert said(runs(*small, *other), 0.03).startswith(
        "GATE 3 %: unsure; nothing was measured on both sides"
    )


def test_an_implementation_without_a_time_is_not_excluded() -> None:
    run, records = small_run(problems=PROBLEMS[:2])
    kept = [r for r in records if r.implementation != "chunked" or r.session == 0]
    found = runs(run, records, renamed(run), kept)
    assert "; no time in later: chunked" in said(found, 0.03)
    assert (gate(found, 0.03).state, gate(found, 0.03, strict=True).state) == ("passed", "unsure")


def test_many_comparisons_are_one_line_with_the_worst_of_each_implementation() -> None:
    run, records = small_run()
    slow = [
        replace(r, times_ms=tuple(1.5 * t for t in r.times_ms)) if is_slow(r) else r
        for r in records
    ]
    line = said(runs(run, records, renamed(run), slow), 0.03)
    assert line.startswith("GATE 3 %: failed; ")
    assert "the worst of 18" in line
    assert "fp32" not in line
    assert len(line) < 400


def is_slow(record: Record) -> bool:
    return record.implementation in ("chunked", "sdpa_flash", "torch_multi_head")


def test_programs_read_the_gate_as_fields() -> None:
    found = wide(1.0)
    data = of_comparison(found, gate(found, 0.03, strict=True))["gate"]
    assert (data["limit"], data["fail_if_unsure"], data["state"]) == (0.03, True, "unsure")
    (row,) = data["not_excluded"]
    assert (row["implementation"], row["problem"]) == ("other", str(PROBLEMS[1]))
    assert row["low"] < 1.03 < row["high"]
    assert data["more_sessions"] == gate(found, 0.03).more_sessions
    assert data["sentence"] == said(found, 0.03, strict=True)
    assert "gate" not in of_comparison(found)
    assert "series" not in of_comparison(found)["rows"][0]


def test_a_figure_beside_the_limit_does_not_look_like_it() -> None:
    found = gate(wide(1.0), 0.03)
    (row,) = found.not_excluded
    near: Gate = replace(found, not_excluded=(replace(row, high=1.0304),))
    assert "GATE 3 %: passed; not excluded: other up to 3.04 % slower" in sentence(near, wide(1.0))
