"""Verdicts of a run: baselines, rounds, and sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp
from statistics import fmean
from typing import Any

import pytest

from reports.analysis.run_analysis import Analysis
from reports.views.numbers import floor, percent, ratio, ratio_in
from reports.views.verdicts import conclusions
from reports.views.verdicts import noise_floor as noise_sentence
from suites.records.record import Conditions, Record
from suites.records.store import Run
from suites.stats.intervals import log_ratio, noise_floor
from suites.stats.pairing import APART, twin_log_ratios
from tests.reports.row_data import run_floor, verdicts
from tests.saved_run import PROBLEMS, TWO, small_run, times, two

ONE = PROBLEMS[1]
WINDOW = PROBLEMS[10]


def row(run: Run, records: list[Record], **wanted: Any) -> dict[str, Any]:
    found = [
        each
        for each in verdicts(run, records)
        if wanted.items() <= {**each, "name": each["implementation"]}.items()
    ]
    assert len(found) == 1
    return found[0]


def changed(
    records: list[Record], change: Callable[[Record], Record], name: str = "other"
) -> list[Record]:
    return [
        change(each) if each.implementation == name and each.times_ms else each for each in records
    ]


def test_each_implementation_is_compared_with_the_baseline_of_its_panel() -> None:
    run, records = small_run()
    rows = verdicts(run, records)
    assert {(r["baseline"], r["panel"]) for r in rows} == {
        ("naive", "attention"),
        ("multi_head", "layers"),
    }
    assert {r["implementation"] for r in rows if r["panel"] == "layers"} == {"torch_multi_head"}
    assert {r["implementation"] for r in rows if r["panel"] == "attention"} == {
        "chunked",
        "local_window",
        "sdpa_flash",
        "sdpa_math",
    }
    assert len(rows) == 79


def test_the_planned_baseline_is_used_where_it_answers() -> None:
    run, records = small_run(problems=[ONE, WINDOW], baseline="local_window")
    found = {row["problem"]: row["baseline"] for row in verdicts(run, records)
             if row["panel"] == "attention"}  # fmt: skip
    assert found == {ONE: "naive", WINDOW: "local_window"}


def test_a_ratio_is_the_mean_over_sessions_with_its_interval() -> None:
    run, records = small_run()
    found = row(run, records, problem=ONE, name="chunked")
    pairs = [(times(ONE, "naive", s), times(ONE, "chunked", s)) for s in (1, 2, 3)]
    mean = fmean(log_ratio(base[:4], other[:4], paired=True) for base, other in pairs)
    assert found["ratio"] == pytest.approx(exp(mean))
    assert found["low"] < found["ratio"] < found["high"]
    assert (found["basis"], found["sessions"], found["threads"]) == ("sessions", 3, 2)
    assert (found["rounds"], found["disturbed"]) == (15, 3)
    assert (found["verdict"], found["reason"]) == ("faster", "")
    assert found["reached"] is None


def test_disturbed_rounds_move_only_the_other_ratio() -> None:
    run, records = two(1.2)
    late = Conditions(disturbed=("", "waited", "", "", "waited"))
    records = [replace(r, conditions=late) if r.times_ms else r for r in records]

    def spread(r: Record) -> Record:
        parts = (0.9, 9, 1, 1.1, 9)
        return replace(r, times_ms=tuple(p * t for p, t in zip(parts, r.times_ms, strict=True)))

    found = row(run, changed(records, spread))
    assert found["ratio"] == pytest.approx(1.2, rel=1e-3)
    assert found["ratio_all"] == pytest.approx(1.32, rel=1e-3)
    assert (found["rounds"], found["disturbed"]) == (25, 10)


def test_the_floor_comes_from_the_twins_of_the_problem() -> None:
    run, records = small_run(problems=PROBLEMS[:2])
    twins = twin_log_ratios(r for r in records if r.problem == ONE)
    assert len(twins) == 3
    found = row(run, records, problem=ONE, name="chunked")
    assert found["floor"] == noise_floor(twins, 3)
    assert row(run, records, problem=ONE, panel="layers")["floor"] == found["floor"]
    assert run_floor(run, records) == noise_floor(twins * 2, 3)


def test_without_a_twin_no_floor_is_made_up() -> None:
    run, records = two(1.0)
    bare = [replace(r, twin_ms=()) for r in records]
    assert row(run, bare)["floor"] is None
    assert run_floor(run, bare) is None
    assert "No twin was measured" in conclusions(Analysis(run, bare))[0]


@pytest.mark.parametrize(
    ("factor", "word"), [(1.3, "slower"), (0.7, "faster"), (1.0, "same"), (1.0095, "inconclusive")]
)
def test_each_ratio_has_its_verdict(factor: float, word: str) -> None:
    assert row(*two(factor))["verdict"] == word


def test_same_is_withheld_above_the_floor() -> None:
    found = row(*two(1.0, twin=0.02))
    assert found["verdict"] == "inconclusive"
    assert found["reason"] == "within 1 %, but the noise floor is above that"
    assert found["more_sessions"] > 0


def test_an_implementation_against_itself_is_never_faster_or_slower() -> None:
    found = row(*two(1.0, (1.0,) * 5))
    assert (found["verdict"], found["ratio"], found["low"]) == ("not judged", 1, None)
    assert found["reason"] == "the samples tie: the clock is too coarse for an interval"


def test_one_session_with_few_rounds_is_not_judged() -> None:
    found = row(*two(1.3, (1.0,)))
    assert (found["verdict"], found["sessions"]) == ("not judged", 1)
    assert found["reason"] == "one session; an interval takes 2, or 6 rounds of it"
    assert found["ratio"] == pytest.approx(1.3)


def test_one_session_with_rounds_enough_holds_for_its_process_only() -> None:
    run, records = two(1.3, (1.0,))
    base = (1.0, 1.01, 0.99, 1.0, 1.02, 1.0, 0.98)
    records = changed(
        records, lambda r: replace(r, times_ms=base, twin_ms=base, conditions=None), "base"
    )
    other = (1.3, 1.31, 1.32, 1.29, 1.3, 1.33, 1.31)
    records = changed(records, lambda r: replace(r, times_ms=other, conditions=None))
    found = row(run, records)
    assert (found["verdict"], found["basis"]) == ("slower", "this process")
    assert found["reason"] == "one session: it holds within this process only"
    assert "1 ratio from a single session" in " ".join(conclusions(Analysis(run, records)))


def test_a_long_call_is_compared_by_medians_with_a_note() -> None:
    run, records = two(1.3)
    apart = changed(
        records, lambda r: replace(r, times_ms=r.times_ms[:1], in_rounds=False, conditions=None)
    )
    found = row(run, apart)
    assert (found["verdict"], found["reason"]) == ("slower", APART)
    assert found["rounds"] == 5


def test_only_sessions_with_both_count() -> None:
    run, records = two(1.3)
    half = [r for r in records if r.implementation == "base" or r.session < 3]
    assert row(run, half)["sessions"] == 2
    alone = [
        r for r in records if r.session == 0 or (r.implementation == "base") is (r.session < 3)
    ]
    found = row(run, alone)
    assert (found["verdict"], found["sessions"]) == ("not judged", 0)
    assert (found["ratio"], found["reason"]) == (None, "no session measured both")


def test_a_fault_in_one_session_takes_the_row_away() -> None:
    run, records = two(1.3)
    fault = Record(
        session=5,
        problem=ONE,
        implementation="other",
        status="wrong",
        cause="wrong_output",
        reason="no",
    )
    kept = [r for r in records if r.key != fault.key]
    assert verdicts(run, [*kept, fault]) == []
    assert conclusions(Analysis(run, [*kept, fault])) == []


def test_a_sample_of_0_ms_is_not_judged() -> None:
    run, records = two(1.3)
    still = changed(records, lambda r: replace(r, times_ms=(0.0,) * 5))
    found = row(run, still)
    assert (found["verdict"], found["ratio"]) == ("not judged", None)
    assert found["reason"].startswith("a sample of 0 ms; expected more than 0")


def test_numbers_of_threads_are_judged_apart() -> None:
    run, records = small_run(problems=[ONE], made=TWO, threads=(1, 2))
    rows = verdicts(run, records)
    assert [(r["threads"], r["sessions"]) for r in rows] == [(1, 3), (2, 3)]


def test_a_precision_that_is_not_reached_is_reported() -> None:
    fine, coarse = two(1.3, precision=0.01), two(1.3, (1.0, 1.1, 0.9), precision=0.01)
    assert row(*fine)["reached"] is True
    assert row(*coarse)["reached"] is False
    assert row(*two(1.3, (1.0,), precision=0.01))["reached"] is False
    assert not any("precision" in each for each in conclusions(Analysis(*fine)))
    said = "The requested precision, 1 % either way, was not reached in 1 of 1 comparison."
    assert said in conclusions(Analysis(*coarse))


def test_the_summary_counts_verdicts_and_those_that_chance_alone_makes() -> None:
    said = conclusions(Analysis(*small_run()))
    assert said[1] == "79 comparisons: 61 faster, 18 slower; a difference counts from 1 %."
    assert said[2] == (
        "Where nothing differs, 5 % of intervals exclude 1 all the same: of 79 intervals up to 4."
    )
    assert said[0] == (
        "Noise here: identical code differed by 0.32 %, so differences below that are not shown."
    )


def test_the_summary_says_what_would_settle_the_rest() -> None:
    (said,) = [s for s in conclusions(Analysis(*two(1.0095))) if s.startswith("About")]
    assert said.endswith(
        "would settle 1 of 1 inconclusive comparison, if their spread stays as it is."
    )


def test_a_run_without_times_has_no_verdict() -> None:
    assert verdicts(*small_run(sessions=0)) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.01, "1 %"), (0.0034, "0.34 %"), (0.1234, "12 %"), (1.5, "150 %"), (0, "0 %")],
)
def test_a_difference_reads_as_percent(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_a_ratio_near_1_reads_to_a_thousandth() -> None:
    assert [ratio(each) for each in (0.9984, 1.012, 0.01234, 41.23, None)] == [
        "0.998",
        "1.012",
        "0.0123",
        "41.2",
        "",
    ]
    assert ratio_in(1.0, 0.99, 1.011) == "1.000 [0.990, 1.011]"
    assert ratio_in(1.0, None, None) == "1.000"


def test_what_no_reader_needs_the_digits_of_is_a_bound() -> None:
    assert ratio_in(8.314, 1.47e-9, 46927536855.0) == "8.314 [<0.001, >1000]"
    assert [ratio(each) for each in (0.001, 1000.0, 1000.1)] == ["0.00100", "1000", ">1000"]
    assert [floor(each) for each in (0.034, 1.0, 1668.18, None)] == ["3.4 %", "100 %", ">100 %", ""]


def test_the_noise_sentence_has_the_range_over_the_problems() -> None:
    rows = Analysis(*small_run(problems=PROBLEMS[:2])).verdicts
    several = [replace(each, floor=f) for each, f in zip(rows, (0.025, 0.32, None), strict=False)]
    said = "Noise here: identical code differed by {}, so differences below that are not shown."
    assert noise_sentence(0.046, several) == said.format("2.5 to 32 % (by problem)")
    assert noise_sentence(0.046) == said.format("4.6 %")
    assert noise_sentence(0.046, [several[0]]) == said.format("2.5 %")
    assert noise_sentence(2.0, [replace(several[0], floor=1.8)]) == said.format("more than 100 %")


def test_a_withheld_verdict_is_inconclusive_with_the_interval_of_all_rounds() -> None:
    run, records = two(0.9)
    late = Conditions(disturbed=("waited", "waited", "", "", ""))
    records = [replace(r, conditions=late) if r.times_ms else r for r in records]
    parts = (2, 2, 1.4, 1, 1)
    slow = changed(
        records,
        lambda r: replace(r, times_ms=tuple(p * t for p, t in zip(parts, r.times_ms, strict=True))),
    )
    found = row(run, slow)
    assert (found["verdict"], found["withheld"]) == ("inconclusive", True)
    assert found["reason"] == "withheld: all rounds give the ratio 1.26"
    assert found["low_all"] < found["ratio_all"] < found["high_all"]
    assert row(run, records)["withheld"] is False
    decided = [
        [each.decided for each in Analysis(run, own).rankings.values()] for own in (records, slow)
    ]
    assert decided == [[True], [False]]  # maps and recommendations follow the same rule
