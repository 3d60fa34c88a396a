"""Verdicts on candidates, and their scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from impls.interface import Limits
from reports.analysis.candidates import (
    CandidateRow,
    Judgement,
    ProblemRow,
    best_first,
    candidate_rows,
    is_judged,
    score,
)
from reports.views.judged import reason_of
from suites.records.plan import Entry
from suites.records.record import Record, Status
from suites.records.store import Run
from tests.reports.judged_rows import LONG, candidate, row, timed
from tests.saved_run import PROBLEMS, small_run, two

FILE = Path("mine.py")
OWN = {"other": str(FILE.resolve())}


def judged(run: Run, records: list[Record], name: str = "other", **fields: object) -> CandidateRow:
    """The row of an implementation of `mine.py` beside `base`."""
    entries = tuple(
        replace(entry, files={name: OWN["other"]}, hashes={name: "ab"}, **fields)  # type: ignore[arg-type] # fields of an entry
        if entry.name == name
        else entry
        for entry in run.plan.entries
    )
    plan = replace(run.plan, entries=entries, baseline="base")
    (found,) = candidate_rows("mine.py", FILE, replace(run, plan=plan), records)
    return found


@pytest.mark.parametrize(("factor", "judgement"), [(0.5, "faster"), (2.0, "slower"), (1.0, "same")])
def test_a_ratio_has_its_verdict_and_interval(factor: float, judgement: str) -> None:
    found = judged(*two(factor, delta=0.05))
    (on,) = found.rows
    assert found.judgement == on.judgement == judgement
    assert on.ratio is not None
    assert on.ratio == pytest.approx(factor, rel=0.01)
    assert on.low is not None
    assert on.high is not None
    assert on.low < on.ratio < on.high
    assert on.right
    assert (found.label, found.digest) == ("mine.py", "ab")


@pytest.mark.parametrize(
    ("status", "cause"),
    [("wrong", "wrong_output"), ("crashed", "process_died"), ("timed_out", "time_limit")],
)
def test_a_candidate_without_a_time_has_its_state_and_cause(status: Status, cause: str) -> None:
    run, records = two(0.5)
    kept = [each for each in records if each.implementation == "base"]
    fault = Record(session=0, problem=PROBLEMS[1], implementation="other", status=status,
                   cause=cause, reason="because")  # type: ignore[arg-type] # fmt: skip
    found = judged(run, [*kept, fault])
    (on,) = found.rows
    assert (found.judgement, on.cause, on.reason) == (status, cause, "because")
    assert (on.right, on.faster(0.0), on.ratio) == (False, False, None)


def test_without_a_time_of_the_baseline_nothing_is_judged() -> None:
    run, records = two(0.5)
    kept = [each for each in records if each.implementation == "other"]
    fault = Record(session=0, problem=PROBLEMS[1], implementation="base", status="refused",
                   cause="limits", reason="only on mps")  # fmt: skip
    found = judged(run, [*kept, fault])
    assert found.judgement == "not judged"
    assert found.rows[0].reason == "the baseline base has no time: only on mps"
    assert found.rows[0].right


def test_a_candidate_that_computes_another_function_has_a_ratio_and_no_score() -> None:
    run, records = two(0.5, across=True)
    found = judged(run, records, panel="approximations")
    (on,) = found.rows
    assert found.judgement == "another function"
    assert on.ratio == pytest.approx(0.5, rel=0.01)
    assert (on.right, on.faster(0.0)) == (False, False)
    assert reason_of(on).startswith("computes another function, RMS error")


def test_every_function_of_a_file_has_its_row() -> None:
    names = ("base", "one", "two")
    made = tuple(Entry(name=name, limits=(Limits(),)) for name in names)
    run, records = small_run(problems=PROBLEMS[:2], made=made, baseline="base")
    own = tuple(replace(each, files={each.name: OWN["other"]}) for each in made)
    run = replace(run, plan=replace(run.plan, entries=own))
    found = candidate_rows("mine.py", FILE, run, records)
    assert [each.label for each in found] == ["mine.py:one", "mine.py:two"]
    assert [each.problem for each in found[0].rows] == list(PROBLEMS[:2])


def test_a_candidate_that_cannot_be_imported_is_missing_on_every_problem() -> None:
    made = (Entry(name="mine", missing="SyntaxError"),)
    run, records = small_run(problems=PROBLEMS[:2], made=made)
    (found,) = candidate_rows("mine.py", FILE, run, records)
    assert found.judgement == "missing"
    assert [each.reason for each in found.rows] == ["SyntaxError"] * 2
    assert (found.label, found.digest) == ("mine.py", "")


@pytest.mark.parametrize(
    ("judgements", "whole"),
    [
        (("faster", "faster"), "faster"),
        (("faster", "slower"), "mixed"),
        (("faster", "refused"), "mixed"),
        (("refused", "refused"), "refused"),
        (("faster", "wrong"), "wrong"),
        (("failed", "wrong"), "wrong"),
        (("timed_out", "crashed"), "crashed"),
    ],
)
def test_a_fault_on_one_problem_is_the_verdict_on_all(
    judgements: tuple[Judgement, ...], whole: str
) -> None:
    assert candidate(*map(row, judgements)).judgement == whole


@pytest.mark.parametrize(
    ("ratio", "by", "faster"),
    [(0.9, 0.0, True), (0.9, 0.01, True), (0.9, 0.02, False), (0.45, 1.0, True), (0.5, 1.0, False)],
)
def test_faster_by_a_margin_means_the_whole_interval(
    ratio: float, by: float, *, faster: bool
) -> None:
    """The interval ends at 1.1 times the ratio."""
    assert timed("faster", ratio).faster(by) == faster


def test_only_a_verdict_of_faster_scores() -> None:
    assert not timed("inconclusive", 0.5).faster(0.0)
    assert not timed("same", 0.5).faster(0.0)
    assert not row("wrong").faster(0.0)


def test_the_score_is_the_share_of_answers_that_are_right_and_faster() -> None:
    rows = [
        candidate(timed("faster", 0.5), timed("slower", 2.0, LONG)),
        candidate(row("wrong"), timed("faster", 0.8, LONG)),
        candidate(row("missing"), row("missing", LONG)),
    ]
    found = score(rows, 0.0)
    assert (found.right, found.faster, found.answers, found.value) == (3, 2, 6, 2 / 6)
    assert score(rows, 0.5).faster == 1
    assert score([], 0.0).value == 0.0


def test_the_best_come_first_and_those_without_a_score_are_left_out() -> None:
    one = candidate(timed("faster", 0.5), timed("slower", 2.0, LONG), spec="one.py")
    both = candidate(timed("faster", 0.5), timed("faster", 0.5, LONG), spec="both.py")
    none = candidate(timed("slower", 2.0), row("wrong", LONG), spec="none.py")
    assert [each.spec for each in best_first([one, none, both], 0.0)] == ["both.py", "one.py"]


@pytest.mark.parametrize(
    ("on", "judged"),
    [
        (row("missing"), False),
        (row("not_reached"), False),
        (row("not judged"), False),
        (row("refused"), True),
        (row("wrong"), True),
        (timed("inconclusive", 1.0), True),
    ],
)
def test_a_candidate_is_judged_where_its_attention_was(on: ProblemRow, *, judged: bool) -> None:
    assert is_judged([candidate(row("missing"), on)]) == judged
