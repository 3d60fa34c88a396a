"""Results of learning in words and tables, and the exit status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.analysis.learning.learnt import tasks
from reports.outputs.export.learning_data import of_learning
from reports.outputs.html import learning_page
from reports.outputs.learning import exit_status
from reports.views.learning import page, verdicts
from tests.reports.learnt import learnt


def test_the_first_sentences_are_the_verdicts() -> None:
    digits, sentiment, *recall = page.sentences(learnt())
    assert digits == "digits: bad (differs by 1.0e-05) fails the gate; 2.0e-07 is allowed."
    assert sentiment.startswith("sentiment: bad")
    assert recall == [
        "recall with full: 100 % up to distance 31.",
        "recall with window:16: 100 % up to distance 15, 12 % beyond.",
        "recall with window:8: 100 % up to distance 7, 12 % beyond.",
    ]


def test_where_all_pass_the_sentence_has_the_largest_difference() -> None:
    assert page.sentences(learnt(bad=False))[0] == (
        "digits: all 4 judged implementations pass the gate; the largest difference is 3.0e-08 "
        "(good), 2.0e-07 is allowed."
    )


def test_each_faulty_implementation_is_named_once() -> None:
    said = [fault.said for fault in page.fault_rows(learnt())]
    assert said == [
        "bad fails the gate on digits and sentiment",
        "dies crashed on digits and sentiment",
    ]


def test_without_two_honest_implementations_the_sentence_says_what_is_missing() -> None:
    found = learnt(bad=False)
    kept = tuple(t for t in found.trainings if t.implementation not in ("sdpa_math", "sdpa_flash"))
    assert page.sentences(replace(found, trainings=kept))[0] == (
        "digits: no verdict; the threshold needs 2 of naive, sdpa_math, sdpa_flash, trained: naive."
    )


def test_layers_are_shown_and_not_judged() -> None:
    found = learnt()
    entries = tuple(
        replace(entry, panel="layers") if entry.name == "bad" else entry
        for entry in found.run.plan.entries
    )
    run = replace(found.run, plan=replace(found.run.plan, entries=entries))
    (row,) = (
        row
        for row in tasks(replace(found, run=run))[0].rows
        if row.training.implementation == "bad"
    )
    assert (row.passes, verdicts.verdict(row), row.is_fault) == (None, "not judged", False)


@pytest.mark.parametrize(
    ("bad", "crashes", "status"),
    [(False, False, 0), (True, False, 1), (False, True, 1)],
)
def test_the_exit_status_is_1_for_a_fault(bad: bool, crashes: bool, status: int) -> None:  # noqa: FBT001 - of the table above
    assert exit_status(learnt(bad=bad, crashes=crashes)) == status


def test_a_named_implementation_that_trained_no_model_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = replace(learnt(bad=False, crashes=False), named=("absent",))
    assert exit_status(found) == 1
    assert "absent was named, and no model was trained with it" in capsys.readouterr().err


def test_the_page_has_a_section_for_each_task_and_no_foreign_address(tmp_path: Path) -> None:
    made = learning_page.write(learnt(), tmp_path)
    html = made.page.read_text("utf-8")
    for task in ("digits", "sentiment", "recall"):
        assert f'<section id="{task}">' in html
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert sorted(path.name for path in made.charts) == [
        "learning_digits_accuracy.png",
        "learning_digits_loss.png",
        "learning_sentiment_accuracy.png",
        "learning_sentiment_loss.png",
        "recall_by_distance.png",
    ]


def test_names_cannot_become_markup_of_the_page() -> None:
    found = learnt()
    hostile = "<script>alert(1)</script>"
    plan = replace(
        found.run.plan,
        entries=tuple(
            replace(entry, name=hostile) if entry.name == "bad" else entry
            for entry in found.run.plan.entries
        ),
    )
    trainings = tuple(
        replace(each, implementation=hostile) if each.implementation == "bad" else each
        for each in found.trainings
    )
    html = learning_page.page(
        replace(found, run=replace(found.run, plan=plan), trainings=trainings)
    )
    assert hostile not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_data_has_every_loss_and_the_threshold() -> None:
    data = of_learning(learnt())
    digits = data["tasks"][0]
    assert digits["allowed"] == pytest.approx(2e-7)
    assert [len(each["losses"]) for each in digits["trainings"]] == [20, 20, 20, 20, 20, 0]
    assert digits["trainings"][-1]["reason"] == "the process ended with status 3"
