"""Open comparisons of a run: counted, with their reasons."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.run_analysis import Analysis
from reports.views.limitations import sentences
from tests.saved_run import PROBLEMS, small_run, two


def test_inconclusive_comparisons_are_counted_with_their_reason() -> None:
    said = sentences(Analysis(*two(1.0095)))
    assert said[0] == ("1 of 1 comparison inconclusive: it differs, but perhaps by less than 1 %.")


def test_comparisons_that_were_not_judged_are_counted_with_their_reason() -> None:
    said = sentences(Analysis(*two(1.3, (1.0,))))
    assert said[0].startswith("1 of 1 comparison not judged: one session; an interval takes")


def test_the_floor_and_devices_without_a_run_are_reported() -> None:
    said = sentences(Analysis(*small_run()))
    assert said[0].startswith("Noise here: identical code differed by")
    assert said[1].startswith("54 of 270 rounds were disturbed; ")
    assert said[2:] == ["No implementation of this run ran on a GPU."]


def test_a_precision_that_was_not_reached_has_a_sentence() -> None:
    said = "The requested precision, 1 % either way, was not reached in 1 of 1 comparison."
    assert said in sentences(Analysis(*two(1.3, (1.0, 1.1, 0.9), precision=0.01)))
    assert said not in sentences(Analysis(*two(1.3, precision=0.01)))


def test_stored_rows_that_cannot_be_read_are_counted_with_a_reason() -> None:
    run, records = two(1.3)
    damaged = replace(run, unread=("its problem is 'x'", "its session is -1"))
    said = "2 stored rows of this run cannot be read: its problem is 'x'."
    assert sentences(Analysis(damaged, records))[0] == said


def test_a_run_that_compares_nothing_says_so() -> None:
    run, records = small_run(problems=PROBLEMS[:1])
    alone = [r for r in records if r.implementation == "naive"]
    assert (
        sentences(Analysis(run, alone))[0]
        == "Nothing was compared: no problem has times of two implementations."
    )


def test_rows_that_slow_the_next_one_are_named_with_the_worst_problem() -> None:
    run, records = small_run()
    ratios = {str(PROBLEMS[0]): 1.4, str(PROBLEMS[1]): 6.3}
    slow = [
        replace(r, neighbour_ratio=ratios.get(str(r.problem), 1.0))
        if r.implementation == "chunked" and r.times_ms
        else r
        for r in records
    ]
    said = (
        f"chunked slows the next row's first call 6.30 times ({PROBLEMS[1]}); untimed lead-in "
        "calls keep that out of the times, and --apart chunked measures it in a process of its "
        "own."
    )
    assert [x for x in sentences(Analysis(run, slow)) if "slows" in x] == [said]
    assert not any("slows" in x for x in sentences(Analysis(run, records)))


def test_a_check_reports_only_devices_without_a_run() -> None:
    assert sentences(Analysis(*small_run(sessions=0))) == [
        "No implementation of this run ran on a GPU."
    ]
